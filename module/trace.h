/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: one request on its way, in the order in which they fire.
 *
 *   vloop_kick		the driver notifies
 *   vloop_fetch	a process, or the module, takes the request
 *   vloop_op		an operation on it begins
 *   vloop_op_end	and has ended
 *   vloop_complete	the request is given back to the driver
 *   vloop_interrupt	the driver is notified
 *
 * And vloop_event: an event is raised for the server, or read from a queue.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vloop

#if !defined(VLOOP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VLOOP_TRACE_H

#include <linux/sched/clock.h>
#include <linux/tracepoint.h>

#include "vloop.h"

TRACE_DEFINE_ENUM(VLOOP_VERB_NONE);
TRACE_DEFINE_ENUM(VLOOP_VERB_FILE_TO_REQUEST);
TRACE_DEFINE_ENUM(VLOOP_VERB_REQUEST_TO_FILE);
TRACE_DEFINE_ENUM(VLOOP_VERB_COPY_TO_REQUEST);
TRACE_DEFINE_ENUM(VLOOP_VERB_COPY_FROM_REQUEST);
TRACE_DEFINE_ENUM(VLOOP_VERB_SYNC_FILE);
TRACE_DEFINE_ENUM(VLOOP_VERB_IN_PLACE);

#define vloop_show_verb(verb) \
	__print_symbolic(verb, \
		{ VLOOP_VERB_NONE, "none" }, \
		{ VLOOP_VERB_FILE_TO_REQUEST, "file-to-request" }, \
		{ VLOOP_VERB_REQUEST_TO_FILE, "request-to-file" }, \
		{ VLOOP_VERB_COPY_TO_REQUEST, "copy-to-request" }, \
		{ VLOOP_VERB_COPY_FROM_REQUEST, "copy-from-request" }, \
		{ VLOOP_VERB_SYNC_FILE, "sync-file" }, \
		{ VLOOP_VERB_IN_PLACE, "in-place" })

#define vloop_show_op_flags(flags) \
	__print_flags(flags, "|", \
		{ VLOOP_OP_COMPLETE, "complete" }, \
		{ VLOOP_OP_STATUS, "status" }, \
		{ VLOOP_OP_DETACH, "detach" }, \
		{ VLOOP_OP_DSYNC, "dsync" })

TRACE_DEFINE_ENUM(VLOOP_EVENT_STATUS);
TRACE_DEFINE_ENUM(VLOOP_EVENT_GONE);
TRACE_DEFINE_ENUM(VLOOP_EVENT_QUEUE_READY);
TRACE_DEFINE_ENUM(VLOOP_EVENT_OP_ERROR);
TRACE_DEFINE_ENUM(VLOOP_EVENT_QUEUE_ERROR);
TRACE_DEFINE_ENUM(VLOOP_EVENT_HAND_OVER);
TRACE_DEFINE_ENUM(VLOOP_EVENT_STOP);

#define vloop_show_event(event) \
	__print_symbolic(event, \
		{ VLOOP_EVENT_STATUS, "status" }, \
		{ VLOOP_EVENT_GONE, "gone" }, \
		{ VLOOP_EVENT_QUEUE_READY, "queue-ready" }, \
		{ VLOOP_EVENT_OP_ERROR, "op-error" }, \
		{ VLOOP_EVENT_QUEUE_ERROR, "queue-error" }, \
		{ VLOOP_EVENT_HAND_OVER, "hand-over" }, \
		{ VLOOP_EVENT_STOP, "stop" })

DECLARE_EVENT_CLASS(vloop_queue,
	TP_PROTO(const struct vloop_queue *queue),
	TP_ARGS(queue),
	TP_STRUCT__entry(
		__field(int, device)
		__field(u32, queue)
	),
	TP_fast_assign(
		__entry->device = queue->device->id;
		__entry->queue = queue->index;
	),
	TP_printk("vloop%d queue=%u", __entry->device, __entry->queue)
);

DEFINE_EVENT(vloop_queue, vloop_kick,
	TP_PROTO(const struct vloop_queue *queue),
	TP_ARGS(queue)
);

DEFINE_EVENT(vloop_queue, vloop_interrupt,
	TP_PROTO(const struct vloop_queue *queue),
	TP_ARGS(queue)
);

TRACE_EVENT(vloop_fetch,
	TP_PROTO(const struct vloop_slot *slot),
	TP_ARGS(slot),
	TP_STRUCT__entry(
		__field(int, device)
		__field(u32, queue)
		__field(u16, head)
		__field(u32, seq)
		__field(u32, readable)
		__field(u32, writable)
		__field(bool, again)
	),
	TP_fast_assign(
		__entry->device = slot->queue->device->id;
		__entry->queue = slot->queue->index;
		__entry->head = slot->head;
		__entry->seq = slot->seq;
		__entry->readable = slot->readable;
		__entry->writable = slot->writable;
		__entry->again = slot->again;
	),
	TP_printk("vloop%d queue=%u head=%u seq=%u readable=%u writable=%u again=%d",
		  __entry->device, __entry->queue, __entry->head, __entry->seq,
		  __entry->readable, __entry->writable, __entry->again)
);

TRACE_EVENT(vloop_op,
	TP_PROTO(const struct vloop_slot *slot),
	TP_ARGS(slot),
	TP_STRUCT__entry(
		__field(int, device)
		__field(u32, queue)
		__field(u16, head)
		__field(u32, seq)
		__field(u8, verb)
		__field(u32, flags)
		__field(u16, file)
		__field(u32, skip)
		__field(u32, length)
		__field(u64, offset)
	),
	TP_fast_assign(
		__entry->device = slot->queue->device->id;
		__entry->queue = slot->queue->index;
		__entry->head = slot->head;
		__entry->seq = slot->seq;
		__entry->verb = slot->op.verb;
		__entry->flags = slot->op.flags;
		__entry->file = slot->op.file;
		__entry->skip = slot->op.skip;
		__entry->length = slot->op.length;
		__entry->offset = slot->op.offset;
	),
	TP_printk("vloop%d queue=%u head=%u seq=%u %s flags=%s file=%u skip=%u length=%u offset=%llu",
		  __entry->device, __entry->queue, __entry->head, __entry->seq,
		  vloop_show_verb(__entry->verb),
		  vloop_show_op_flags(__entry->flags), __entry->file,
		  __entry->skip, __entry->length, __entry->offset)
);

TRACE_EVENT(vloop_op_end,
	TP_PROTO(const struct vloop_queue *queue, const struct vloop_op *op,
		 u32 moved, long error),
	TP_ARGS(queue, op, moved, error),
	TP_STRUCT__entry(
		__field(int, device)
		__field(u32, queue)
		__field(u16, head)
		__field(u32, seq)
		__field(u8, verb)
		__field(u32, moved)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->device = queue->device->id;
		__entry->queue = queue->index;
		__entry->head = op->head;
		__entry->seq = op->seq;
		__entry->verb = op->verb;
		__entry->moved = moved;
		__entry->error = error;
	),
	TP_printk("vloop%d queue=%u head=%u seq=%u %s moved=%u error=%d",
		  __entry->device, __entry->queue, __entry->head, __entry->seq,
		  vloop_show_verb(__entry->verb), __entry->moved,
		  __entry->error)
);

TRACE_EVENT(vloop_complete,
	TP_PROTO(const struct vloop_slot *slot, u32 length),
	TP_ARGS(slot, length),
	TP_STRUCT__entry(
		__field(int, device)
		__field(u32, queue)
		__field(u16, head)
		__field(u32, seq)
		__field(u32, length)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->device = slot->queue->device->id;
		__entry->queue = slot->queue->index;
		__entry->head = slot->head;
		__entry->seq = slot->seq;
		__entry->length = length;
		__entry->ns = local_clock() - slot->fetched_at;
	),
	TP_printk("vloop%d queue=%u head=%u seq=%u length=%u ns=%llu",
		  __entry->device, __entry->queue, __entry->head, __entry->seq,
		  __entry->length, __entry->ns)
);

/*
 * Those of the device have queue -1, the driver's status as @arg and its
 * features as @value; GONE has the errno of the registration.
 */
TRACE_EVENT(vloop_event,
	TP_PROTO(const struct vloop_device *vd, int queue, int event, u32 arg,
		 u64 value),
	TP_ARGS(vd, queue, event, arg, value),
	TP_STRUCT__entry(
		__field(int, device)
		__field(int, queue)
		__field(int, event)
		__field(u32, arg)
		__field(u64, value)
	),
	TP_fast_assign(
		__entry->device = vd->id;
		__entry->queue = queue;
		__entry->event = event;
		__entry->arg = arg;
		__entry->value = value;
	),
	TP_printk("vloop%d queue=%d %s arg=%u value=%#llx", __entry->device,
		  __entry->queue, vloop_show_event(__entry->event),
		  __entry->arg, __entry->value)
);

#endif /* VLOOP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
