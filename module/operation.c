// SPDX-License-Identifier: GPL-2.0
/*
 * Operations: move data between a request and a file, write the status byte,
 * give the request back, tell the driver.  All of that in one step is what
 * makes the data path short.
 *
 * The data is moved by the backing file's own read_iter and write_iter on a
 * bio_vec iterator over the driver's pages, so no process ever sees them, and
 * direct I/O copies nothing.
 *
 * Life of an operation:
 *
 *   vloop_op_submit ── could block ──> vloop_op_work ─┐
 *        │  │                               │         │ -EIOCBQUEUED
 *        │  └── -EIOCBQUEUED ──> op_iocb_complete <───┘
 *        │                                  │
 *        └─ ended at once ──> op_finish <───┴─ (short, -EAGAIN: back to work)
 *
 * Exactly one of the three runs op_finish; slot->issue decides between an
 * issuer that is still inside read_iter and a completion that came early.
 */
#include <linux/cred.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "trace.h"
#include "vloop.h"

#define VLOOP_OP_FLAGS (VLOOP_OP_COMPLETE | VLOOP_OP_STATUS | \
			VLOOP_OP_DETACH | VLOOP_OP_DSYNC)

static bool op_fills_request(const struct vloop_op *op)
{
	return op->verb == VLOOP_VERB_FILE_TO_REQUEST ||
	       op->verb == VLOOP_VERB_COPY_TO_REQUEST ||
	       op->verb == VLOOP_VERB_IN_PLACE;
}

static bool op_uses_file(const struct vloop_op *op)
{
	return op->verb == VLOOP_VERB_FILE_TO_REQUEST ||
	       op->verb == VLOOP_VERB_REQUEST_TO_FILE ||
	       op->verb == VLOOP_VERB_SYNC_FILE;
}

static bool op_copies(const struct vloop_op *op)
{
	return op->verb == VLOOP_VERB_COPY_TO_REQUEST ||
	       op->verb == VLOOP_VERB_COPY_FROM_REQUEST;
}

static bool op_writes_file(const struct vloop_op *op)
{
	return op->verb == VLOOP_VERB_REQUEST_TO_FILE;
}

/* What can be said about an operation without looking at its request. */
static int op_check(const struct vloop_op *op)
{
	u32 needs_complete = VLOOP_OP_STATUS | VLOOP_OP_DETACH;

	if (op->verb > VLOOP_VERB_IN_PLACE || op->flags & ~VLOOP_OP_FLAGS || op->pad ||
	    op->reserved[0] || op->reserved[1])
		return -EINVAL;
	if (op->flags & needs_complete && !(op->flags & VLOOP_OP_COMPLETE))
		return -EINVAL;
	if (op->flags & VLOOP_OP_DSYNC && !op_writes_file(op))
		return -EINVAL;
	if (op->length > MAX_RW_COUNT || op->skip > S32_MAX)
		return -EINVAL;
	if (op_copies(op) && op->length > VLOOP_COPY_MAX)
		return -EINVAL;
	/* The process has not seen the bytes yet: it can't know the answer. */
	if (op->verb == VLOOP_VERB_COPY_FROM_REQUEST &&
	    op->flags & VLOOP_OP_COMPLETE)
		return -EINVAL;
	if (op->offset > S64_MAX - op->length)
		return -EINVAL;
	if ((op->verb == VLOOP_VERB_NONE || op->verb == VLOOP_VERB_SYNC_FILE) &&
	    (op->length || op->skip))
		return -EINVAL;
	return 0;
}

/* Whether the operation stays inside the request.  With queue->lock. */
static int op_check_range(const struct vloop_op *op,
			  const struct vloop_slot *slot)
{
	u32 status = op->flags & VLOOP_OP_STATUS ? 1 : 0;
	u64 end = (u64)op->skip + op->length;

	if (status > slot->writable)
		return -EINVAL;
	if (op_fills_request(op)) {
		/* From the front: what was not filled yet must never count. */
		if (op->skip > slot->filled)
			return -EINVAL;
		return end + status > slot->writable ? -EINVAL : 0;
	}
	return end > slot->readable ? -EINVAL : 0;
}

/*
 * What uses a file may end where nothing can be unmapped: a request whose pages
 * the process may have mapped is completed by another operation.
 */
static int op_check_window(const struct vloop_op *op,
			   const struct vloop_slot *slot)
{
	if (op->verb == VLOOP_VERB_IN_PLACE)
		return slot->window_pages ? 0 : -EINVAL;
	if (op->flags & VLOOP_OP_COMPLETE && op_uses_file(op))
		return slot->window_pages ? -EINVAL : 0;
	return 0;
}

/* Make the request BUSY with @op, or say why not. */
static struct vloop_slot *op_claim(struct vloop_queue_file *qf,
				   const struct vloop_op *op)
{
	struct vloop_queue *queue = qf->queue;
	struct vloop_slot *slot;
	unsigned long flags;
	int err = 0;

	if (op->head >= queue->size)
		return ERR_PTR(-EINVAL);
	slot = &queue->slots[array_index_nospec(op->head, queue->size)];

	spin_lock_irqsave(&queue->lock, flags);
	if (vloop_queue_file_is_void(qf))
		err = -ENODEV;
	else if (!queue->ready || slot->state == VLOOP_SLOT_FREE ||
		 slot->seq != op->seq)
		err = -ESTALE;
	else if (slot->state == VLOOP_SLOT_BUSY || slot->done_unread ||
		 slot->redeliver || slot->copying_out)
		err = -EBUSY;
	else
		err = op_check_range(op, slot) ?: op_check_window(op, slot);
	if (err == -ESTALE)
		queue->stats->stale++;
	if (!err) {
		slot->state = VLOOP_SLOT_BUSY;
		slot->op = *op;
		slot->moved = 0;
		slot->file = NULL;
		slot->submitter = NULL;
		slot->bvec = NULL;
		slot->through_cache = false;
		slot->heir = VLOOP_HEIR_SUBMITTER;
		queue->users++;
		trace_vloop_op(slot);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return err ? ERR_PTR(err) : slot;
}

static void op_put_bvec(struct vloop_slot *slot)
{
	if (slot->bvec && slot->bvec != slot->bvec_inline)
		mempool_free(slot->bvec, &slot->queue->bvecs);
	slot->bvec = NULL;
}

static void op_note_filled(struct vloop_slot *slot)
{
	const struct vloop_op *op = &slot->op;

	if (op_fills_request(op) && op->skip <= slot->filled)
		slot->filled = max(slot->filled, op->skip + slot->moved);
}

/*
 * Write what the driver may rely on behind the used entry, and return its
 * length: never more than was really filled from the front.
 */
static u32 op_seal(struct vloop_slot *slot, bool ok)
{
	u8 status = ok ? slot->op.status_ok : slot->op.status_error;
	bool has_status = slot->op.flags & VLOOP_OP_STATUS;
	u32 data = slot->writable - has_status;

	/*
	 * A driver may go by the status alone, which is whatever the process
	 * says, also for an error: no byte may be stale memory, the status
	 * byte that nobody wrote included.
	 */
	if (slot->filled < data)
		vloop_slot_copy(slot, true, slot->filled, NULL,
				data - slot->filled);
	if (!has_status)
		return slot->filled;
	vloop_slot_copy(slot, true, slot->writable - 1, &status, 1);
	return ok ? slot->writable : slot->filled;
}

static void op_account(struct vloop_queue *queue, const struct vloop_op *op,
		       u32 moved, bool ok)
{
	struct vloop_queue_stats *stats = queue->stats;

	stats->verb_ops[op->verb]++;
	stats->verb_bytes[op->verb] += moved;
	if (op_copies(op))
		stats->bytes_copied += moved;
	else if (op->verb != VLOOP_VERB_IN_PLACE)
		stats->bytes_moved += moved;
	if (!ok) {
		stats->verb_errors[op->verb]++;
		stats->errors++;
	}
}

/* The process waits for this.  With queue->lock. */
static void op_post_done(struct vloop_slot *slot, const struct vloop_op *op,
			 s64 result)
{
	struct vloop_queue *queue = slot->queue;

	slot->done_unread = true;
	slot->done_seq = op->seq;
	slot->done_user_data = op->user_data;
	slot->done_result = result;
	list_add_tail(&slot->done_node, &queue->done);
	wake_up_interruptible_poll(&queue->readers, EPOLLIN);
}

/*
 * An answer that the driver can't live with is not given: the request stays with
 * the process.
 */
static bool op_answers_badly(const struct vloop_slot *slot, bool ok)
{
	bool all = ok && slot->op.flags & VLOOP_OP_STATUS;

	return slot->op.flags & VLOOP_OP_COMPLETE &&
	       !vloop_class_accepts_answer(slot, all ? slot->writable :
						 slot->filled);
}

/* The submitter's descriptor became void meanwhile.  With queue->lock. */
static void op_bequeath(struct vloop_slot *slot)
{
	bool answer = slot->heir == VLOOP_HEIR_DRIVER ||
		      vloop_failing(slot->queue->device);

	vloop_slot_inherit(slot, answer);
}

/*
 * Tell the process how @op ended, as far as it wants to hear: the bytes moved, if
 * any were and the answer is given.  With queue->lock.
 */
static void op_report(struct vloop_slot *slot, const struct vloop_op *op,
		      long result, bool ok, bool withheld)
{
	bool count = ok || (slot->moved && !withheld);
	struct vloop_queue *queue = slot->queue;
	struct vloop_error error = {
		.head = op->head, .verb = op->verb, .seq = op->seq,
		.error = result,
	};

	if (!(op->flags & VLOOP_OP_DETACH))
		op_post_done(slot, op, count ? slot->moved : result);
	else if (!ok && kfifo_put(&queue->errors, error))
		wake_up_interruptible_poll(&queue->readers, EPOLLIN);
}

/*
 * @result: 0 or a negative errno; slot->moved says how far it came.  @leave: the
 * operation is no user of its queue any more; for callers that hold the queue
 * otherwise, a lock less than vloop_queue_put().
 */
static void op_finish(struct vloop_slot *slot, long result, bool leave)
{
	struct vloop_queue *queue = slot->queue;
	bool ok = result == 0 && slot->moved == slot->op.length;
	bool withheld;
	struct vloop_op op;
	unsigned long flags;
	u32 length = 0;

	if (!ok && result == 0)
		result = -EIO;	/* the file ended before the transfer did */
	op_note_filled(slot);
	withheld = op_answers_badly(slot, ok);
	if (withheld) {
		slot->op.flags &= ~VLOOP_OP_COMPLETE;
		if (ok)
			result = -ENODATA;
		ok = false;
	}
	op = slot->op;
	if (op.flags & VLOOP_OP_COMPLETE) {
		/* What is written from here on, nobody else can change. */
		vloop_window_let_go(slot);
		length = op_seal(slot, ok);
	}
	op_put_bvec(slot);
	vloop_file_put(slot->file);
	put_cred(slot->submitter);

	trace_vloop_op_end(queue, &op, slot->moved, result);
	spin_lock_irqsave(&queue->lock, flags);
	op_account(queue, &op, slot->moved, ok);
	slot->state = VLOOP_SLOT_FETCHED;
	slot->sync_failed |= !ok && op.verb == VLOOP_VERB_SYNC_FILE;
	if (slot->heir == VLOOP_HEIR_SUBMITTER)
		op_report(slot, &op, result, ok, withheld);
	if (op.flags & VLOOP_OP_COMPLETE)
		vloop_queue_push(slot, length);
	else if (slot->heir != VLOOP_HEIR_SUBMITTER)
		op_bequeath(slot);
	else if (op.flags & VLOOP_OP_DETACH)
		vloop_slot_redeliver(slot);	/* nobody else knows of it */
	/*
	 * The submitting call tells the driver when it ends.  But nobody waits
	 * for one whose session is over, and it may sleep in memory of its
	 * process without end.
	 */
	if (leave && slot->heir != VLOOP_HEIR_SUBMITTER)
		vloop_queue_reap(queue);
	if (leave)
		vloop_queue_put_locked(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* The end of an operation outside of the call that submitted it. */
static void op_finish_async(struct vloop_slot *slot, long result)
{
	struct vloop_queue *queue = slot->queue;

	op_finish(slot, result, false);
	vloop_queue_signal_any_context(queue);
	vloop_queue_put(queue);
}

/*
 * Drivers align segments to 512 bytes.  A file whose blocks are larger takes
 * such a segment directly only if it is a whole number of blocks, as nearly all
 * are; the others go through the page cache, of the same file.
 */
static bool op_avoid_direct(struct vloop_slot *slot, long ret)
{
	if (ret != -EINVAL || !(slot->iocb.ki_flags & IOCB_DIRECT))
		return false;
	slot->through_cache = true;
	return true;
}

/*
 * What one read_iter or write_iter came to.  Returns true when the operation
 * has ended with *@result, false when a worker must go on with it.
 */
static bool op_progress(struct vloop_slot *slot, long ret, long *result)
{
	bool nowait = slot->iocb.ki_flags & IOCB_NOWAIT;

	/* A submitter that is being killed must not fail the request: a worker can't be. */
	if (nowait && (ret == -EAGAIN || ret == -EOPNOTSUPP || ret == -EINTR ||
		       ret == -ERESTARTSYS))
		return false;
	if (op_avoid_direct(slot, ret))
		return false;
	if (ret < 0) {
		*result = ret;
		return true;
	}
	slot->moved += ret;
	*result = 0;
	return ret == 0 || slot->moved >= slot->op.length;
}

static void op_defer(struct vloop_slot *slot)
{
	struct vloop_queue *queue = slot->queue;
	unsigned long flags;

	/* The only reserve must not wait in line behind who waits for it. */
	op_put_bvec(slot);
	spin_lock_irqsave(&queue->lock, flags);
	queue->stats->deferred++;
	spin_unlock_irqrestore(&queue->lock, flags);
	queue_work(queue->device->wq, &slot->work);
}

static void op_iocb_complete(struct kiocb *iocb, long ret)
{
	struct vloop_slot *slot = container_of(iocb, struct vloop_slot, iocb);
	long result;

	slot->issue_result = ret;
	/* The issuer is still in read_iter: it will find the result and go on. */
	if (atomic_cmpxchg(&slot->issue, VLOOP_ISSUING, VLOOP_ENDED_EARLY) ==
	    VLOOP_ISSUING)
		return;
	if (op_writes_file(&slot->op))
		vloop_kiocb_end_write(iocb);
	if (op_progress(slot, ret, &result))
		op_finish_async(slot, result);
	else
		op_defer(slot);
}

/* Returns false if that would have to wait for memory and must not. */
static bool op_build_iter(struct vloop_slot *slot, bool nowait)
{
	const struct vloop_op *op = &slot->op;
	bool fill = op_fills_request(op);
	unsigned int n = fill ? slot->writable_descs : slot->readable_descs;
	u32 left = op->length - slot->moved;

	if (!slot->bvec)
		slot->bvec = n <= VLOOP_INLINE_BVECS ?
			     slot->bvec_inline :
			     mempool_alloc(&slot->queue->bvecs,
					   nowait ? GFP_NOWAIT : GFP_NOIO);
	if (!slot->bvec)
		return false;
	n = vloop_slot_bvecs(slot, fill, op->skip + slot->moved, left,
			     slot->bvec);
	iov_iter_bvec(&slot->iter, fill ? ITER_DEST : ITER_SOURCE, slot->bvec,
		      n, left);
	return true;
}

/*
 * A frozen file system would make the write wait.  One that freezes after this
 * look makes the submitter wait until it thaws.
 */
static bool is_frozen(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode))
		return false;
	if (!sb_start_write_trylock(inode->i_sb))
		return true;
	sb_end_write(inode->i_sb);
	return false;
}

/*
 * Hand the rest of the transfer to the file.  Returns what read_iter returned;
 * after -EIOCBQUEUED the slot belongs to the completion.
 */
static long op_issue(struct vloop_slot *slot, bool nowait)
{
	struct file *file = slot->file->file;
	const struct vloop_op *op = &slot->op;
	struct kiocb *iocb = &slot->iocb;
	long ret;

	init_sync_kiocb(iocb, file);
	/* The process can still set O_APPEND; a disk's writes have their place. */
	iocb->ki_flags &= ~IOCB_APPEND;
	iocb->ki_pos = op->offset + slot->moved;
	iocb->ki_complete = op_iocb_complete;
	if (nowait)
		iocb->ki_flags |= IOCB_NOWAIT;
	if (op->flags & VLOOP_OP_DSYNC)
		iocb->ki_flags |= IOCB_DSYNC;
	if (slot->through_cache)
		iocb->ki_flags &= ~IOCB_DIRECT;
	if (!op_build_iter(slot, nowait) ||
	    (nowait && op_writes_file(op) && is_frozen(file)))
		return -EAGAIN;

	atomic_set(&slot->issue, VLOOP_ISSUING);
	if (op_writes_file(op)) {
		iocb->ki_flags |= IOCB_WRITE;
		ret = vloop_iocb_iter_write(file, iocb, &slot->iter);
	} else {
		ret = vfs_iocb_iter_read(file, iocb, &slot->iter);
	}
	if (ret != -EIOCBQUEUED)
		return ret;
	if (atomic_cmpxchg(&slot->issue, VLOOP_ISSUING, VLOOP_ISSUED) ==
	    VLOOP_ISSUING)
		return -EIOCBQUEUED;
	if (op_writes_file(op))
		vloop_kiocb_end_write(iocb);
	return slot->issue_result;
}

/* Backing I/O must not wait for memory that only this disk could free. */
static unsigned int backing_io_begin(void)
{
	unsigned int flags = current->flags &
			     (PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE);

	current->flags |= PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE;
	return flags;
}

static void backing_io_end(unsigned int flags)
{
	current_restore_flags(flags, PF_MEMALLOC_NOIO | PF_LOCAL_THROTTLE);
}

static void op_go_on(struct vloop_slot *slot)
{
	long ret, result;

	if (slot->op.verb == VLOOP_VERB_SYNC_FILE) {
		result = vfs_fsync(slot->file->file, 1);
	} else {
		do {
			ret = op_issue(slot, false);
			if (ret == -EIOCBQUEUED)
				return;
		} while (!op_progress(slot, ret, &result));
	}
	op_finish_async(slot, result);
}

/*
 * The rest of an operation that could not be done without blocking, with the
 * rights of who submitted it: a worker may do anything.
 */
void vloop_op_work(struct work_struct *work)
{
	struct vloop_slot *slot = container_of(work, struct vloop_slot, work);
	const struct cred *rights = get_cred(slot->submitter);
	const struct cred *own = override_creds(rights);
	unsigned int flags = backing_io_begin();

	op_go_on(slot);	/* from here on the slot is somebody else's */
	backing_io_end(flags);
	revert_creds(own);
	put_cred(rights);
}

static bool may_try_nowait(const struct vloop_slot *slot)
{
	struct file *file = slot->file->file;

	if (!(file->f_mode & FMODE_NOWAIT))
		return false;
	if (!op_writes_file(&slot->op) || file->f_iocb_flags & IOCB_DIRECT)
		return true;
	/* A buffered write that syncs waits for the sync whatever was asked. */
	return !(slot->op.flags & VLOOP_OP_DSYNC) &&
	       vloop_buffered_write_nowait(file);
}

static void op_transfer(struct vloop_slot *slot)
{
	unsigned int flags;
	long ret, result;

	slot->submitter = get_current_cred();
	if (slot->op.verb == VLOOP_VERB_SYNC_FILE || !may_try_nowait(slot)) {
		op_defer(slot);
		return;
	}
	flags = backing_io_begin();
	ret = op_issue(slot, true);
	backing_io_end(flags);
	if (ret == -EIOCBQUEUED)
		return;
	if (!op_progress(slot, ret, &result)) {
		op_defer(slot);
		return;
	}
	op_finish(slot, result, true);
}

/*
 * Process memory is touched only before the request becomes busy and after it
 * no longer is: a page fault there may take for ever, and a reset waits for
 * busy requests.
 */
static int op_copy_to_request(struct vloop_queue_file *qf,
			      const struct vloop_op *op)
{
	struct vloop_slot *slot;
	void *bounce;

	bounce = vmemdup_user(u64_to_user_ptr(op->address), op->length);
	if (IS_ERR(bounce))
		return PTR_ERR(bounce);
	slot = op_claim(qf, op);
	if (!IS_ERR(slot)) {
		slot->moved = vloop_slot_copy(slot, true, op->skip, bounce,
					      op->length);
		op_finish(slot, 0, true);
	}
	kvfree(bounce);
	return PTR_ERR_OR_ZERO(slot);
}

/*
 * The request is the process's again, but may not be operated on before its
 * bytes have arrived.
 */
static void begin_copying_out(struct vloop_queue_file *qf,
			      struct vloop_slot *slot)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	slot->state = VLOOP_SLOT_FETCHED;
	if (vloop_queue_file_is_void(qf)) {
		op_bequeath(slot);
		/* Before this call sleeps in memory of its process. */
		vloop_queue_reap(queue);
	} else {
		slot->copying_out = true;
	}
	vloop_queue_put_locked(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static int end_copying_out(struct vloop_queue_file *qf,
			   struct vloop_slot *slot, const struct vloop_op *op,
			   s64 result)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;
	int err = 0;

	trace_vloop_op_end(queue, op, max_t(s64, result, 0),
			   min_t(s64, result, 0));
	spin_lock_irqsave(&queue->lock, flags);
	op_account(queue, op, max_t(s64, result, 0), result >= 0);
	if (vloop_queue_file_is_void(qf)) {
		/* The slot is somebody else's, who may be copying too. */
		err = -ENODEV;
	} else {
		slot->copying_out = false;
		op_post_done(slot, op, slot->seq == op->seq ? result : -ESTALE);
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

static int op_copy_from_request(struct vloop_queue_file *qf,
				const struct vloop_op *op)
{
	void __user *user = u64_to_user_ptr(op->address);
	struct vloop_slot *slot;
	s64 result;
	void *bounce;

	bounce = kvmalloc(op->length, GFP_KERNEL_ACCOUNT);
	if (!bounce)
		return -ENOMEM;
	slot = op_claim(qf, op);
	if (IS_ERR(slot)) {
		kvfree(bounce);
		return PTR_ERR(slot);
	}
	vloop_slot_copy(slot, false, op->skip, bounce, op->length);
	begin_copying_out(qf, slot);
	/* Not by ?: with the length, which is unsigned. */
	result = op->length;
	if (copy_to_user(user, bounce, op->length))
		result = -EFAULT;
	kvfree(bounce);
	return end_copying_out(qf, slot, op, result);
}

/*
 * Begin @op, and end it too if that needs no waiting.  Returns 0 or the reason
 * why it could not begin.  The caller signals the queue at the end.
 */
int vloop_op_submit(struct vloop_queue_file *qf, const struct vloop_op *op)
{
	struct vloop_file *vf = NULL;
	struct vloop_slot *slot;
	int err = op_check(op);

	if (err)
		return err;
	if (op_copies(op) && op->length) {
		/* Process memory may make us wait: not with interrupts owed. */
		vloop_queue_signal(qf->queue);
		return op->verb == VLOOP_VERB_COPY_TO_REQUEST ?
		       op_copy_to_request(qf, op) :
		       op_copy_from_request(qf, op);
	}
	if (op_uses_file(op)) {
		vf = vloop_file_get(qf->queue->device, op->file);
		if (!vf)
			return -EBADF;
	}
	slot = op_claim(qf, op);
	if (IS_ERR(slot)) {
		vloop_file_put(vf);
		return PTR_ERR(slot);
	}
	slot->file = vf;
	if (op->verb == VLOOP_VERB_IN_PLACE)
		slot->moved = op->length;
	if (vf && (op->length || op->verb == VLOOP_VERB_SYNC_FILE))
		op_transfer(slot);
	else
		op_finish(slot, 0, true);
	return 0;
}
