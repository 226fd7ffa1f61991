// SPDX-License-Identifier: MIT

// bench-go-zero measures go-zero's p2c_ewma picker as ilb-bench measures:
// pinned threads, medians of repetitions that had their CPU.
//
//	bench-go-zero REPETITIONS MILLISECONDS RETRIES
//
// prints rows for ilb-bench's CSV file. An operation is Pick and then Done,
// as gRPC calls them. The picker is made by the balancer that go-zero
// registers, from connections that are ready at once. One picker serves all
// threads, by its lock. They sleep there, so that with two of them each
// repetition counts, and they are goroutines that the runtime places: one that
// is bound to a thread pays for each sleep with a switch between threads.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/zeromicro/go-zero/core/logx"
	_ "github.com/zeromicro/go-zero/zrpc"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

const (
	cpuShare = 0.985
	block    = 1024
)

// conn is a connection that does nothing.
type conn struct {
	balancer.SubConn
}

func (c *conn) Connect()  {}
func (c *conn) Shutdown() {}

// client makes connections and keeps the last picker.
type client struct {
	balancer.ClientConn
	ready  []func(balancer.SubConnState)
	picker balancer.Picker
}

func (c *client) NewSubConn(_ []resolver.Address, o balancer.NewSubConnOptions) (balancer.SubConn, error) {
	c.ready = append(c.ready, o.StateListener)
	return &conn{}, nil
}

func (c *client) UpdateState(s balancer.State) { c.picker = s.Picker }

func picker(endpoints int) balancer.Picker {
	c := &client{}
	b := balancer.Get("p2c_ewma").Build(c, balancer.BuildOptions{})
	var state resolver.State
	for i := range endpoints {
		address := fmt.Sprintf("10.%d.%d.%d:8080", i>>16, i>>8&255, i&255)
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	if err := b.UpdateClientConnState(balancer.ClientConnState{ResolverState: state}); err != nil {
		log.Fatal(err)
	}
	// Each that becomes ready makes the picker anew: with 10,000, seconds.
	for _, ready := range c.ready {
		ready(balancer.SubConnState{ConnectivityState: connectivity.Ready})
	}
	return c.picker
}

func pinTo(cpu int) {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &allowed); err != nil {
		log.Fatal(err)
	}
	for i, left := 0, cpu; ; i++ {
		if allowed.IsSet(i) {
			if left == 0 {
				one.Set(i)
				break
			}
			left--
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		log.Fatal(err)
	}
}

func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		log.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// work is one thread's part: ns an operation, and whether it had its CPU.
func work(p balancer.Picker, wanted time.Duration) (float64, bool) {
	began, cpuBegan, done := time.Now(), cpuTime(), 0
	for time.Since(began) < wanted {
		for range block {
			r, err := p.Pick(balancer.PickInfo{})
			if err != nil {
				log.Fatal(err)
			}
			r.Done(balancer.DoneInfo{})
		}
		done += block
	}
	wall, cpu := time.Since(began), cpuTime()-cpuBegan
	return float64(wall) / float64(done), float64(cpu) >= cpuShare*float64(wall)
}

func repetition(p balancer.Picker, threads int, wanted time.Duration) (float64, bool) {
	var all, start sync.WaitGroup
	ns, counts := make([]float64, threads), make([]bool, threads)
	start.Add(threads)
	for i := range threads {
		all.Go(func() {
			if threads == 1 {
				runtime.LockOSThread() // never unlocked: the thread ends with it
				pinTo(i)
			}
			start.Done()
			start.Wait()
			ns[i], counts[i] = work(p, wanted)
		})
	}
	all.Wait()
	sum := 0.0
	for _, one := range ns {
		sum += one
	}
	return sum / float64(threads), threads > 1 || !slices.Contains(counts, false)
}

func number(i int) int {
	if len(os.Args) != 4 {
		log.Fatal("bench-go-zero REPETITIONS MILLISECONDS RETRIES")
	}
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func measure(p balancer.Picker, endpoints, threads int) {
	repetitions, retries := number(1), number(3)
	wanted := time.Duration(number(2)) * time.Millisecond
	var values []float64
	redone := 0
	repetition(p, threads, wanted) // warms up
	for range repetitions {
		for range retries + 1 {
			one, counts := repetition(p, threads, wanted)
			if counts {
				values = append(values, one)
				break
			}
			redone++
		}
	}
	slices.Sort(values)
	text := ",,"
	if n := len(values); n > 0 {
		median := (values[(n-1)/2] + values[n/2]) / 2
		text = fmt.Sprintf("%.1f,%.1f,%.1f", median, values[0], values[n-1])
	}
	fmt.Printf("pair,go_zero_p2c_ewma,own,0,%d,%d,%s,,,,,,,,%d,%d\n",
		threads, endpoints, text, len(values), redone)
}

func main() {
	logx.Disable()
	number(1)
	for _, endpoints := range []int{2, 10, 100, 1000, 10000} {
		p := picker(endpoints)
		measure(p, endpoints, 1)
		if runtime.NumCPU() > 1 {
			measure(p, endpoints, 2)
		}
	}
}
