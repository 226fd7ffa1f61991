// SPDX-License-Identifier: MIT
//! tower's Balance (p2c) over PeakEwma, measured as ilb-bench measures: pinned
//! threads, medians of repetitions that had their CPU.
//!
//! bench-tower REPETITIONS MILLISECONDS RETRIES: rows for ilb-bench's CSV file.
//!
//! An operation is poll_ready, call and the poll of a future that is ready at
//! once; its end drops the handle that records the latency. A Balance wants
//! &mut self: `tower_peak_ewma_mutex` is one behind a Mutex for all threads,
//! which sleep there, so that each repetition counts; `tower_peak_ewma` is one
//! for each, with nothing in common.

use std::convert::Infallible;
use std::future::{ready, Future, Ready};
use std::pin::{pin, Pin};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tower::balance::p2c::Balance;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, PeakEwma};
use tower::Service;

const CPU_SHARE: f64 = 0.985;
const BLOCK: u64 = 1024;
const SIZES: [usize; 5] = [2, 10, 100, 1000, 10000];

/// A service that answers at once.
struct Echo;

impl Service<()> for Echo {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: ()) -> Self::Future {
        ready(Ok(()))
    }
}

type Tower = Balance<ServiceList<Vec<PeakEwma<Echo>>>, ()>;

fn tower(endpoints: usize) -> Tower {
    let services = (0..endpoints)
        .map(|_| {
            // One second and ten: the defaults of linkerd and of tower's example.
            PeakEwma::new(Echo, Duration::from_secs(1), 10e9, CompleteOnResponse::default())
        })
        .collect::<Vec<_>>();
    Balance::new(ServiceList::new(services))
}

fn pair(tower: &mut Tower, context: &mut Context<'_>) {
    match Pin::new(&mut *tower).poll_ready(context) {
        Poll::Ready(Ok(())) => {}
        other => panic!("not ready: {other:?}"),
    }
    match pin!(tower.call(())).poll(context) {
        Poll::Ready(Ok(())) => {}
        _ => panic!("no answer"),
    }
}

fn pin_to(cpu: usize) {
    // SAFETY: the sets are plain data, and as large as is said.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        let bytes = std::mem::size_of::<libc::cpu_set_t>();
        assert_eq!(libc::sched_getaffinity(0, bytes, &mut allowed), 0);
        let nth = (0..libc::CPU_SETSIZE as usize)
            .filter(|&i| libc::CPU_ISSET(i, &allowed))
            .nth(cpu)
            .expect("a CPU for each thread");
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(nth, &mut one);
        assert_eq!(libc::sched_setaffinity(0, bytes, &one), 0);
    }
}

fn cpu_time() -> Duration {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: t is a timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) }, 0);
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// One thread's part of a repetition: ns an operation, and whether it counts.
fn work(towers: &Mutex<Tower>, shared: bool, wanted: Duration) -> (f64, bool) {
    let mut context = Context::from_waker(Waker::noop());
    let mut own = if shared { None } else { Some(towers.lock().unwrap()) };
    let (began, cpu_began) = (Instant::now(), cpu_time());
    let mut done = 0;
    while began.elapsed() < wanted {
        for _ in 0..BLOCK {
            match &mut own {
                Some(tower) => pair(tower, &mut context),
                None => pair(&mut towers.lock().unwrap(), &mut context),
            }
        }
        done += BLOCK;
    }
    let (wall, cpu) = (began.elapsed(), cpu_time() - cpu_began);
    let counts = cpu.as_secs_f64() >= CPU_SHARE * wall.as_secs_f64();
    (wall.as_nanos() as f64 / done as f64, counts)
}

fn repetition(towers: &[Arc<Mutex<Tower>>], wanted: Duration) -> (f64, bool) {
    let barrier = Arc::new(Barrier::new(towers.len()));
    let shared = towers.len() > 1 && Arc::ptr_eq(&towers[0], &towers[1]);
    let threads: Vec<_> = towers
        .iter()
        .enumerate()
        .map(|(i, tower)| {
            let (tower, barrier) = (tower.clone(), barrier.clone());
            thread::spawn(move || {
                pin_to(i);
                barrier.wait();
                work(&tower, shared, wanted)
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let sum: f64 = results.iter().map(|r| r.0).sum();
    (sum / results.len() as f64, shared || results.iter().all(|r| r.1))
}

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .map(|word| word.parse().expect("REPETITIONS MILLISECONDS RETRIES"))
        .collect();
    let [repetitions, milliseconds, retries] = numbers[..] else {
        panic!("REPETITIONS MILLISECONDS RETRIES");
    };
    let wanted = Duration::from_millis(milliseconds);
    let cpus = thread::available_parallelism().map_or(1, |n| n.get());
    let mut cases = vec![("tower_peak_ewma", 1, false)];
    if cpus > 1 {
        cases.extend([("tower_peak_ewma", 2, false), ("tower_peak_ewma_mutex", 2, true)]);
    }
    for (name, n_threads, shared) in cases {
        for endpoints in SIZES {
            let mut towers = vec![Arc::new(Mutex::new(tower(endpoints)))];
            for _ in 1..n_threads {
                let next = if shared {
                    towers[0].clone()
                } else {
                    Arc::new(Mutex::new(tower(endpoints)))
                };
                towers.push(next);
            }
            repetition(&towers, wanted); // warms up
            let (mut ns, mut redone) = (Vec::new(), 0);
            for _ in 0..repetitions {
                for _ in 0..=retries {
                    let (one, counts) = repetition(&towers, wanted);
                    if counts {
                        ns.push(one);
                        break;
                    }
                    redone += 1;
                }
            }
            ns.sort_by(f64::total_cmp);
            let [median, low, high] = match ns.len() {
                0 => ["".into(), "".into(), "".into()],
                n => [(ns[(n - 1) / 2] + ns[n / 2]) / 2.0, ns[0], ns[n - 1]]
                    .map(|v| format!("{v:.1}")),
            };
            println!(
                "pair,{name},own,0,{n_threads},{endpoints},{median},{low},{high},,,,,,,,{},{redone}",
                ns.len()
            );
        }
    }
}
