/* SPDX-License-Identifier: MIT */
/*
 * A writer was killed in the middle of an update, in a balancer that several
 * processes share, and left the lists half changed. They are made anew from
 * what the slots say, each of which is changed by single steps:
 *
 *     used         it has its address, and belongs into the index
 *     listed       it is in the list, else it drains
 *     listed_by    the update that put it there
 *     plan         the last update that wanted it
 *
 * and from the stage at which the update was (ilb__set_apply):
 *
 *     entering     not all of the new list had entered, and who knows it is
 *                  gone: what had entered by it leaves again. Weights,
 * readiness and user pointers that it changed before stay changed leaving all
 * had entered: it is brought to its end
 *
 * So afterwards the list is the old or the new one, as a whole. The table is
 * published anew: a reader has a view of the one before until then, which the
 * writer does not touch (set/table.h). Endpoints stand in the order of their
 * slots until the next update.
 *
 * It may be cut short itself, and begun again.
 */
#ifndef ILB_SET_REPAIR_H
#define ILB_SET_REPAIR_H

#include "set/set.h"

/* The room above brings what it knows of a slot into line with whether it may
 * be drawn: for those that may before they can be, for the others after they
 * cannot. Once too often does no harm. */
typedef void (*ilb__set_settle)(ilb__slot *slot, bool drawn, void *user);

ILB_INTERNAL void ilb__set_repair(ilb__set *s, ilb__set_settle settle,
                                  void *user);

#endif
