// SPDX-License-Identifier: GPL-2.0
/*
 * The device's half of the split ring (virtio 1.3, section 2.7), in the kernel.
 *
 * The process never writes ring memory: a wrong used entry would free pages
 * that a transfer still uses.  It sees the available ring read-only and asks
 * for everything else by read() and write() on the queue descriptor.
 */
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "trace.h"
#include "vloop.h"

static u16 ring16(__virtio16 value)
{
	return __virtio16_to_cpu(true, value);
}

static u32 ring32(__virtio32 value)
{
	return __virtio32_to_cpu(true, value);
}

static u64 ring64(__virtio64 value)
{
	return __virtio64_to_cpu(true, value);
}

/*
 * The driver's memory behind a descriptor.  Without ACCESS_PLATFORM virtio_ring
 * stores physical addresses of memory that the kernel maps.
 */
static void *desc_memory(const struct vring_desc *desc)
{
	return phys_to_virt(ring64(desc->addr));
}

static void late_signal_work(struct irq_work *work);
static void reap_work(struct work_struct *work);

int vloop_queue_init(struct vloop_device *vd, unsigned int index,
		     const struct vloop_queue_config *config)
{
	struct vloop_queue *queue = &vd->queues[index];
	size_t descs = config->size * sizeof(struct vring_desc);
	size_t avail = sizeof(u16) * (3 + config->size);
	size_t used = sizeof(u16) * 3 +
		      sizeof(struct vring_used_elem) * config->size;
	unsigned int i;
	int err;

	queue->device = vd;
	queue->index = index;
	queue->size = config->size;
	queue->death_policy = config->death_policy;
	queue->death_status = config->death_status;
	spin_lock_init(&queue->lock);
	init_waitqueue_head(&queue->idle);
	init_waitqueue_head(&queue->readers);
	INIT_LIST_HEAD(&queue->done);
	INIT_LIST_HEAD(&queue->redeliver);
	INIT_KFIFO(queue->errors);
	INIT_WORK(&queue->reap, reap_work);
	queue->late_signal = IRQ_WORK_INIT_HARD(late_signal_work);

	queue->memory_size = PAGE_ALIGN(descs) + PAGE_ALIGN(avail) +
			     PAGE_ALIGN(used);
	err = vloop_charge(vd, queue->memory_size + PAGE_SIZE + queue->size *
			       (sizeof(*queue->slots) + sizeof(struct bio_vec)));
	if (err)
		return err;
	queue->memory = alloc_pages_exact(queue->memory_size,
					  GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	queue->stats = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	queue->slots = kvcalloc(queue->size, sizeof(*queue->slots),
				GFP_KERNEL_ACCOUNT);
	if (!queue->memory || !queue->stats || !queue->slots)
		return -ENOMEM;

	err = vloop_window_init(queue);
	if (err)
		return err;

	queue->stats->size = sizeof(*queue->stats);
	queue->ring_start = queue->memory + PAGE_ALIGN(descs) - descs;
	vring_init(&queue->vring, queue->size, queue->ring_start, PAGE_SIZE);

	for (i = 0; i < queue->size; i++) {
		struct vloop_slot *slot = &queue->slots[i];

		slot->queue = queue;
		slot->head = i;
		INIT_WORK(&slot->work, vloop_op_work);
	}
	/* One element is enough to go on when memory is short. */
	return mempool_init_kmalloc_pool(&queue->bvecs, 1, queue->size *
					 sizeof(struct bio_vec));
}

/* Also after a vloop_queue_init() that failed half way. */
void vloop_queue_destroy(struct vloop_queue *queue)
{
	if (!queue->device)
		return;
	cancel_work_sync(&queue->reap);
	irq_work_sync(&queue->late_signal);
	mempool_exit(&queue->bvecs);
	vloop_window_destroy(queue);
	kvfree(queue->slots);
	free_page((unsigned long)queue->stats);
	if (queue->memory)
		free_pages_exact(queue->memory, queue->memory_size);
}

/* The driver's find_vqs: @vq was just made on the zeroed ring memory. */
void vloop_queue_setup(struct vloop_queue *queue, struct virtqueue *vq)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->vq = vq;
	queue->event_idx = virtio_has_feature(vq->vdev,
					      VIRTIO_RING_F_EVENT_IDX);
	queue->last_avail = 0;
	queue->used_idx = 0;
	queue->signalled_used = 0;
	queue->signalled_valid = false;
	queue->debt = false;
	queue->failed = false;
	queue->announce = true;
	queue->setups++;
	queue->stats->resets++;
	queue->ready = true;
	spin_unlock_irqrestore(&queue->lock, flags);
}

/*
 * No operation begins after this, and all that ran have ended.  Takes as long
 * as the backing files need for what was already given to them.
 */
void vloop_queue_quiesce(struct vloop_queue *queue)
{
	struct vloop_slot *slot;
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&queue->lock, flags);
	queue->ready = false;
	spin_unlock_irqrestore(&queue->lock, flags);

	wait_event(queue->idle, READ_ONCE(queue->users) == 0);
	vloop_window_cut(queue);

	/* The lock also lets the last vloop_queue_put() leave its wake-up. */
	spin_lock_irqsave(&queue->lock, flags);
	for (i = 0; i < queue->size; i++) {
		slot = &queue->slots[i];
		slot->state = VLOOP_SLOT_FREE;
		if (slot->redeliver) {
			slot->redeliver = false;
			list_del(&slot->redeliver_node);
		}
	}
	queue->stats->in_flight = 0;
	spin_unlock_irqrestore(&queue->lock, flags);
}

void vloop_queue_put_locked(struct vloop_queue *queue)
{
	if (--queue->users == 0)
		wake_up(&queue->idle);
}

void vloop_queue_put(struct vloop_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	vloop_queue_put_locked(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/*
 * Check the chain that starts at slot->head once; operations rely on it.  The
 * driver is part of this kernel, yet a chain that makes no sense must stop the
 * queue and not the machine.
 */
static int measure_chain(struct vloop_slot *slot)
{
	struct vloop_queue *queue = slot->queue;
	u64 readable = 0, writable = 0;
	unsigned int n, index = slot->head;

	slot->readable_descs = 0;
	slot->writable_descs = 0;
	for (n = 0; n < queue->size; n++) {
		const struct vring_desc *desc = &queue->vring.desc[index];
		u16 flags = ring16(desc->flags);

		if (flags & VRING_DESC_F_INDIRECT)
			return -EINVAL;
		if (flags & VRING_DESC_F_WRITE) {
			writable += ring32(desc->len);
			slot->writable_descs++;
		} else {
			/* virtio 1.3, 2.7.4.2: readable before writable. */
			if (slot->writable_descs)
				return -EINVAL;
			readable += ring32(desc->len);
			slot->readable_descs++;
		}
		if (!(flags & VRING_DESC_F_NEXT)) {
			if (readable > S32_MAX || writable > S32_MAX)
				return -EINVAL;
			slot->readable = readable;
			slot->writable = writable;
			return 0;
		}
		index = ring16(desc->next);
		if (index >= queue->size)
			return -EINVAL;
	}
	return -EINVAL;
}

/* First descriptor of the readable or the writable part. */
static unsigned int part_start(const struct vloop_slot *slot, bool writable)
{
	unsigned int n, index = slot->head;

	for (n = 0; writable && n < slot->readable_descs; n++)
		index = ring16(slot->queue->vring.desc[index].next);
	return index;
}

/*
 * Copy between @buffer and @length bytes of one part of the request, beginning
 * @skip bytes into it; a NULL @buffer fills with zeroes.  Returns what was
 * copied, less than @length only if the part ends before.
 */
u32 vloop_slot_copy(const struct vloop_slot *slot, bool writable, u32 skip,
		    void *buffer, u32 length)
{
	unsigned int n = writable ? slot->writable_descs : slot->readable_descs;
	unsigned int index = part_start(slot, writable);
	u32 copied = 0;

	for (; n && copied < length; n--) {
		const struct vring_desc *desc = &slot->queue->vring.desc[index];
		u32 size = ring32(desc->len);

		if (skip < size) {
			u32 bytes = min(size - skip, length - copied);
			void *memory = desc_memory(desc) + skip;

			if (!buffer)
				memset(memory, 0, bytes);
			else if (writable)
				memcpy(memory, buffer + copied, bytes);
			else
				memcpy(buffer + copied, memory, bytes);
			copied += bytes;
			skip = 0;
		} else {
			skip -= size;
		}
		index = ring16(desc->next);
	}
	return copied;
}

/* The same range as bio_vecs; @bvecs has room for every descriptor of the part. */
unsigned int vloop_slot_bvecs(const struct vloop_slot *slot, bool writable,
			      u32 skip, u32 length, struct bio_vec *bvecs)
{
	unsigned int n = writable ? slot->writable_descs : slot->readable_descs;
	unsigned int index = part_start(slot, writable);
	unsigned int used = 0;

	for (; n && length; n--) {
		const struct vring_desc *desc = &slot->queue->vring.desc[index];
		u32 size = ring32(desc->len);

		if (skip < size) {
			phys_addr_t addr = ring64(desc->addr) + skip;
			u32 bytes = min(size - skip, length);

			bvec_set_page(&bvecs[used++],
				      pfn_to_page(PHYS_PFN(addr)), bytes,
				      offset_in_page(addr));
			length -= bytes;
			skip = 0;
		} else {
			skip -= size;
		}
		index = ring16(desc->next);
	}
	return used;
}

static bool avail_is_new(const struct vloop_queue *queue)
{
	return ring16(READ_ONCE(queue->vring.avail->idx)) != queue->last_avail;
}

static bool driver_is_ready(const struct vloop_queue *queue)
{
	return queue->ready &&
	       READ_ONCE(queue->device->status) & VIRTIO_CONFIG_S_DRIVER_OK;
}

static void break_queue(struct vloop_queue *queue, u16 head)
{
	if (queue->failed)
		return;
	queue->failed = true;
	queue->announce_failed = true;
	dev_err(&queue->device->dev,
		"queue %u: the driver made an invalid chain available (head %u)\n",
		queue->index, head);
	/* From now on the module answers what nobody has fetched. */
	vloop_queue_reap(queue);
}

/*
 * Take the next available chain into its slot, or NULL if there is none.  One
 * that makes no sense breaks the queue, and is passed over.  With queue->lock.
 */
static struct vloop_slot *take_available(struct vloop_queue *queue)
{
	u16 index = ring16(READ_ONCE(queue->vring.avail->idx));
	u16 pending = index - queue->last_avail;
	struct vloop_slot *slot;
	u16 head;

	if (!pending)
		return NULL;
	/* Orders the load of avail->idx before the loads of what it published. */
	smp_rmb();
	head = ring16(queue->vring.avail->ring[queue->last_avail &
					       (queue->size - 1)]);
	if (pending > queue->size) {
		/* Nobody can say which of them are meant. */
		queue->last_avail = index;
		goto broken;
	}
	queue->last_avail++;
	if (head >= queue->size)
		goto broken;
	slot = &queue->slots[head];
	if (slot->state != VLOOP_SLOT_FREE || measure_chain(slot))
		goto broken;

	slot->state = VLOOP_SLOT_FETCHED;
	slot->seq++;
	slot->filled = 0;
	slot->again = false;
	slot->sync_failed = false;
	slot->fetched_at = local_clock();
	vloop_window_describe(slot);
	queue->stats->taken++;
	queue->stats->in_flight++;
	trace_vloop_fetch(slot);
	return slot;

broken:
	break_queue(queue, head);
	return NULL;
}

static void record_request(const struct vloop_slot *slot,
			   struct vloop_record *record)
{
	memset(record, 0, sizeof(*record));
	record->type = VLOOP_RECORD_REQUEST;
	record->head = slot->head;
	record->seq = slot->seq;
	record->readable = slot->readable;
	record->writable = slot->writable;
	record->user_data = slot->again ? VLOOP_REQUEST_AGAIN : 0;
	vloop_slot_copy(slot, false, 0, record->data,
			min_t(u32, slot->readable, sizeof(record->data)));
}

static void record_event(const struct vloop_queue *queue,
			 struct vloop_record *record, enum vloop_event event,
			 u32 arg, u64 value)
{
	trace_vloop_event(queue->device, queue->index, event, arg, value);
	memset(record, 0, sizeof(*record));
	record->type = VLOOP_RECORD_EVENT;
	record->event.event = event;
	record->event.arg = arg;
	record->event.value = value;
}

/* The oldest thing to tell that is not a new request. */
static bool fetch_pending(struct vloop_queue *queue,
			  struct vloop_record *record)
{
	struct vloop_slot *slot;
	struct vloop_error error;

	if (!list_empty(&queue->done)) {
		slot = list_first_entry(&queue->done, struct vloop_slot,
					done_node);
		list_del(&slot->done_node);
		slot->done_unread = false;
		memset(record, 0, sizeof(*record));
		record->type = VLOOP_RECORD_DONE;
		record->head = slot->head;
		record->seq = slot->done_seq;
		record->user_data = slot->done_user_data;
		record->done.result = slot->done_result;
		return true;
	}
	if (kfifo_get(&queue->errors, &error)) {
		record_event(queue, record, VLOOP_EVENT_OP_ERROR, error.verb,
			     -error.error);
		record->head = error.head;
		record->seq = error.seq;
		return true;
	}
	if (queue->announce && driver_is_ready(queue)) {
		queue->announce = false;
		record_event(queue, record, VLOOP_EVENT_QUEUE_READY,
			     queue->setups, queue->device->vdev.features);
		record->event.extra = queue->last_avail;
		return true;
	}
	if (queue->announce_failed) {
		queue->announce_failed = false;
		record_event(queue, record, VLOOP_EVENT_QUEUE_ERROR, 0, 0);
		return true;
	}
	return false;
}

static struct vloop_slot *fetch_request(struct vloop_queue *queue)
{
	struct vloop_slot *slot;

	if (!driver_is_ready(queue))
		return NULL;
	slot = list_first_entry_or_null(&queue->redeliver, struct vloop_slot,
					redeliver_node);
	if (slot) {
		slot->redeliver = false;
		list_del(&slot->redeliver_node);
		trace_vloop_fetch(slot);
		return slot;
	}
	/* Of a broken queue, only what made sense before it broke. */
	return queue->failed ? NULL : take_available(queue);
}

/* Fill up to @max records; returns how many there were.  Never sleeps. */
unsigned int vloop_queue_fetch(struct vloop_queue_file *qf,
			       struct vloop_record *records, unsigned int max)
{
	struct vloop_queue *queue = qf->queue;
	struct vloop_slot *slot;
	unsigned long flags;
	unsigned int n = 0;

	spin_lock_irqsave(&queue->lock, flags);
	if (vloop_queue_file_is_void(qf))
		goto unlock;
	while (n < max && fetch_pending(queue, &records[n]))
		n++;
	while (n < max && (slot = fetch_request(queue)))
		record_request(slot, &records[n++]);
	if (n)
		queue->stats->reads++;
	/* The process is awake: it will look again before it sleeps. */
	if (n && queue->ready && !queue->event_idx)
		WRITE_ONCE(queue->vring.used->flags,
			   __cpu_to_virtio16(true, VRING_USED_F_NO_NOTIFY));
unlock:
	spin_unlock_irqrestore(&queue->lock, flags);
	return n;
}

/* Unless its request has gone on without it, which is the process's doing. */
static void unfetch_done(struct vloop_queue *queue,
			 const struct vloop_record *record)
{
	struct vloop_slot *slot = &queue->slots[record->head];

	if (slot->done_unread || slot->copying_out ||
	    slot->state == VLOOP_SLOT_BUSY)
		return;
	slot->done_unread = true;
	slot->done_seq = record->seq;
	slot->done_user_data = record->user_data;
	slot->done_result = record->done.result;
	list_add(&slot->done_node, &queue->done);
}

static void unfetch_event(struct vloop_queue *queue,
			  const struct vloop_record *record)
{
	struct vloop_error error;

	switch (record->event.event) {
	case VLOOP_EVENT_OP_ERROR:
		error.head = record->head;
		error.seq = record->seq;
		error.verb = record->event.arg;
		error.error = -(int)record->event.value;
		kfifo_put(&queue->errors, error);
		break;
	case VLOOP_EVENT_QUEUE_READY:
		queue->announce = queue->ready;
		break;
	case VLOOP_EVENT_QUEUE_ERROR:
		queue->announce_failed = queue->failed;
		break;
	}
}

static void unfetch_request(struct vloop_queue *queue,
			    const struct vloop_record *record)
{
	struct vloop_slot *slot = &queue->slots[record->head];

	if (slot->state != VLOOP_SLOT_FETCHED || slot->redeliver ||
	    slot->seq != record->seq)
		return;
	slot->redeliver = true;
	list_add(&slot->redeliver_node, &queue->redeliver);
}

/* The records could not be delivered: requests come again, in the same order. */
void vloop_queue_unfetch(struct vloop_queue_file *qf,
			 const struct vloop_record *records, unsigned int n)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	/* Requests of a void descriptor are in other hands already. */
	if (vloop_queue_file_is_void(qf))
		n = 0;
	while (n--) {
		switch (records[n].type) {
		case VLOOP_RECORD_DONE:
			unfetch_done(queue, &records[n]);
			break;
		case VLOOP_RECORD_EVENT:
			unfetch_event(queue, &records[n]);
			break;
		case VLOOP_RECORD_REQUEST:
			unfetch_request(queue, &records[n]);
			break;
		}
	}
	wake_up_interruptible_poll(&queue->readers, EPOLLIN);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static bool has_records(const struct vloop_queue *queue)
{
	if (!list_empty(&queue->done) || queue->announce_failed ||
	    !kfifo_is_empty(&queue->errors))
		return true;
	return driver_is_ready(queue) &&
	       (queue->announce || !list_empty(&queue->redeliver) ||
		(!queue->failed && avail_is_new(queue)));
}

/* Whoever calls this looks at the available ring once more afterwards. */
static void allow_kicks(struct vloop_queue *queue)
{
	if (queue->event_idx)
		WRITE_ONCE(vring_avail_event(&queue->vring),
			   __cpu_to_virtio16(true, queue->last_avail));
	else
		WRITE_ONCE(queue->vring.used->flags, 0);
	/* Orders the permission before that load of avail->idx. */
	smp_mb();
}

/*
 * The process is about to sleep: let the driver kick, then look once more.
 * Returns whether there is something to read after all, if only the end.
 */
bool vloop_queue_enable_kicks(struct vloop_queue_file *qf)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;
	bool found = true;

	spin_lock_irqsave(&queue->lock, flags);
	if (!vloop_queue_file_is_void(qf)) {
		if (queue->ready)
			allow_kicks(queue);
		found = has_records(queue);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return found;
}

static void account_completion(struct vloop_slot *slot)
{
	struct vloop_queue_stats *stats = slot->queue->stats;
	u64 ns = local_clock() - slot->fetched_at;
	unsigned int bucket = ns ? __fls(ns) : 0;

	stats->completed++;
	stats->in_flight--;
	stats->latency_log2[min_t(unsigned int, bucket,
				  VLOOP_LATENCY_BUCKETS - 1)]++;
}

/* Give the request back to the driver.  With queue->lock; signal later. */
void vloop_queue_push(struct vloop_slot *slot, u32 length)
{
	struct vloop_queue *queue = slot->queue;
	struct vring_used_elem *elem;

	trace_vloop_complete(slot, length);
	slot->state = VLOOP_SLOT_FREE;
	account_completion(slot);
	if (!queue->ready)
		return;		/* reset is waiting: the ring is the driver's */

	elem = &queue->vring.used->ring[queue->used_idx & (queue->size - 1)];
	elem->id = __cpu_to_virtio32(true, slot->head);
	elem->len = __cpu_to_virtio32(true, length);
	queue->used_idx++;
	/* Orders the entry, and the data behind it, before the index. */
	smp_wmb();
	WRITE_ONCE(queue->vring.used->idx,
		   __cpu_to_virtio16(true, queue->used_idx));
	queue->debt = true;
}

/* Whether the driver wants to hear of what was pushed (virtio 1.3, 2.7.7). */
static bool needs_interrupt(struct vloop_queue *queue)
{
	u16 old = queue->signalled_used, new = queue->used_idx;
	bool valid = queue->signalled_valid;

	if (!queue->debt)
		return false;
	queue->debt = false;
	/* Orders the store of used->idx before the loads of the driver's wish. */
	smp_mb();
	if (!queue->event_idx)
		return !(ring16(READ_ONCE(queue->vring.avail->flags)) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	queue->signalled_used = new;
	queue->signalled_valid = true;
	return !valid ||
	       vring_need_event(ring16(READ_ONCE(vring_used_event(&queue->vring))),
				new, old);
}

/* Drivers' callbacks raise softirqs: run them here, not in ksoftirqd. */
static void interrupt(struct vloop_queue *queue)
{
	unsigned long flags;
	bool outermost = !in_hardirq() && !irqs_disabled();

	trace_vloop_interrupt(queue);
	if (outermost)
		local_bh_disable();
	local_irq_save(flags);
	vring_interrupt(0, queue->vq);
	local_irq_restore(flags);
	if (outermost)
		local_bh_enable();
}

/* Tell the driver about all entries pushed so far, if it wants to hear. */
void vloop_queue_signal(struct vloop_queue *queue)
{
	unsigned long flags;
	bool needed;

	spin_lock_irqsave(&queue->lock, flags);
	needed = queue->ready && needs_interrupt(queue);
	if (needed) {
		queue->stats->interrupts++;
		queue->users++;		/* keeps the virtqueue */
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	if (needed) {
		interrupt(queue);
		vloop_queue_put(queue);
	}
}

/*
 * The same from a completion, which may hold the backing driver's locks: the
 * callback of our driver may want a lock of the same class.  The caller is a
 * user of the queue.
 */
void vloop_queue_signal_any_context(struct vloop_queue *queue)
{
	unsigned long flags;

	if (!in_hardirq() && !irqs_disabled()) {
		vloop_queue_signal(queue);
		return;
	}
	spin_lock_irqsave(&queue->lock, flags);
	queue->users++;
	spin_unlock_irqrestore(&queue->lock, flags);
	/* One that is queued already has a user of its own. */
	if (!irq_work_queue(&queue->late_signal))
		vloop_queue_put(queue);
}

static void late_signal_work(struct irq_work *work)
{
	struct vloop_queue *queue = container_of(work, struct vloop_queue,
						 late_signal);

	vloop_queue_signal(queue);
	vloop_queue_put(queue);
}

/* The request comes again, to whoever reads next.  With queue->lock. */
void vloop_slot_redeliver(struct vloop_slot *slot)
{
	if (slot->redeliver)
		return;
	slot->redeliver = true;
	list_add_tail(&slot->redeliver_node, &slot->queue->redeliver);
	wake_up_interruptible_poll(&slot->queue->readers, EPOLLIN);
}

/* By the queue's death policy, which is REPLY.  With queue->lock, slot FETCHED. */
static void answer_dead(struct vloop_slot *slot)
{
	struct vloop_queue *queue = slot->queue;

	if (slot->writable)
		vloop_slot_copy(slot, true, slot->writable - 1,
				&queue->death_status, 1);
	if (slot->redeliver) {
		slot->redeliver = false;
		list_del(&slot->redeliver_node);
	}
	queue->stats->answered_dead++;
	/* A length of 0: nothing but the status byte is worth reading. */
	vloop_queue_push(slot, 0);
}

/*
 * Whoever had the request is out of it: the module answers it, or the next
 * reader gets it as if it were new.  A file tells an error of writing back once:
 * a sync that met it must not be tried by somebody else, for whom it would
 * succeed.  With queue->lock, slot FETCHED.
 */
void vloop_slot_inherit(struct vloop_slot *slot, bool answer)
{
	slot->copying_out = false;
	answer |= slot->sync_failed;
	if (answer && slot->queue->death_policy == VLOOP_DEATH_REPLY) {
		answer_dead(slot);
		return;
	}
	/* What comes late from the earlier descriptor is stale. */
	slot->seq++;
	slot->filled = 0;
	slot->again = true;
	vloop_slot_redeliver(slot);
}

/*
 * Make the current descriptor void: its requests, those busy in the kernel too,
 * are inherited, and what was to be told is told no more.  With queue->lock.
 */
static void abandon(struct vloop_queue *queue, bool answer)
{
	unsigned int i;

	WRITE_ONCE(queue->opened, NULL);
	kfifo_reset(&queue->errors);
	for (i = 0; i < queue->size; i++) {
		struct vloop_slot *slot = &queue->slots[i];

		if (slot->done_unread) {
			slot->done_unread = false;
			list_del(&slot->done_node);
		}
		slot->copying_out = false;
		if (slot->state == VLOOP_SLOT_BUSY) {
			/* One that an earlier server left to the driver stays so. */
			if (slot->heir != VLOOP_HEIR_DRIVER)
				slot->heir = answer ? VLOOP_HEIR_DRIVER :
						      VLOOP_HEIR_NEXT;
		} else if (slot->redeliver) {
			/* Nobody has it; the next knows the ring from here on. */
			slot->again = true;
			slot->seq++;
			slot->filled = 0;
		} else if (slot->state == VLOOP_SLOT_FETCHED) {
			vloop_slot_inherit(slot, answer);
		}
	}
	wake_up_interruptible_all(&queue->readers);
}

/* The session is over.  @answer: what it had fetched is answered, not told again. */
void vloop_queue_abandon(struct vloop_queue *queue, bool answer)
{
	unsigned long flags;

	/* Before anything is answered; nothing comes in again: the session is over. */
	vloop_window_cut(queue);
	spin_lock_irqsave(&queue->lock, flags);
	abandon(queue, answer);
	spin_unlock_irqrestore(&queue->lock, flags);
	/* Pays for what was just answered, and what a dead write() left. */
	vloop_queue_reap(queue);
}

/* Make @qf the current descriptor of its queue, unless there is one. */
int vloop_queue_open(struct vloop_queue_file *qf)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&queue->lock, flags);
	/* The end of the session sets this before it looks at @opened. */
	if (READ_ONCE(qf->session->over)) {
		err = -ENODEV;
	} else if (queue->opened) {
		err = -EBUSY;
	} else {
		WRITE_ONCE(queue->opened, qf);
		queue->announce = queue->ready;
		queue->announce_failed = queue->failed;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

/* The next descriptor of the same session gets what @qf had. */
void vloop_queue_close(struct vloop_queue_file *qf)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (!vloop_queue_file_is_void(qf))
		abandon(queue, false);
	spin_unlock_irqrestore(&queue->lock, flags);
	/* Of what was answered: a sync that failed. */
	vloop_queue_signal(queue);
}

/* Answer what there is, and what comes before kicks are allowed.  With queue->lock. */
static void answer_all(struct vloop_queue *queue)
{
	struct vloop_slot *slot;
	unsigned int i;

	for (i = 0; i < queue->size && vloop_failing(queue->device); i++)
		if (queue->slots[i].state == VLOOP_SLOT_FETCHED)
			answer_dead(&queue->slots[i]);
	do {
		while (driver_is_ready(queue) && avail_is_new(queue)) {
			slot = take_available(queue);
			if (slot)
				answer_dead(slot);
		}
		allow_kicks(queue);
	} while (driver_is_ready(queue) && avail_is_new(queue));
}

/*
 * Do what nobody else does for this queue: answer requests while the device is
 * failing, or those that nobody may fetch because the queue is broken; tell the
 * driver; and pass on a kick that was meant for a server that has just come.
 */
static void reap_work(struct work_struct *work)
{
	struct vloop_queue *queue = container_of(work, struct vloop_queue, reap);
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	if (queue->ready && queue->death_policy == VLOOP_DEATH_REPLY &&
	    (queue->failed || vloop_failing(queue->device)))
		answer_all(queue);
	else
		wake_up_interruptible_poll(&queue->readers, EPOLLIN);
	spin_unlock_irqrestore(&queue->lock, flags);

	vloop_queue_signal(queue);
}

void vloop_queue_reap(struct vloop_queue *queue)
{
	queue_work(vloop_recovery_wq, &queue->reap);
}
