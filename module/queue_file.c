// SPDX-License-Identifier: GPL-2.0
/* The queue descriptor: records out by read(), operations in by write(). */
#include <linux/anon_inodes.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "vloop.h"

#define RECORDS_AT_ONCE	8

static bool queue_gone(struct vloop_queue *queue)
{
	/* Orders the state before what is read next. */
	return smp_load_acquire(&queue->device->state) == VLOOP_STATE_GONE;
}

/* Copy records out until there is no room or no record. */
static ssize_t read_records(struct vloop_queue *queue, struct iov_iter *to)
{
	struct vloop_record records[RECORDS_AT_ONCE];
	unsigned int max, n;
	ssize_t done = 0;
	size_t copied;

	while ((max = min_t(size_t, iov_iter_count(to) / sizeof(*records),
			    RECORDS_AT_ONCE))) {
		n = vloop_queue_fetch(queue, records, max);
		if (!n)
			break;
		copied = copy_to_iter(records, n * sizeof(*records), to);
		copied -= copied % sizeof(*records);
		done += copied;
		if (copied < n * sizeof(*records)) {
			vloop_queue_unfetch(queue,
					    records + copied / sizeof(*records),
					    n - copied / sizeof(*records));
			return done ? done : -EFAULT;
		}
		if (n < max)
			break;
	}
	return done;
}

static ssize_t vloop_queue_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct vloop_queue *queue = iocb->ki_filp->private_data;
	bool nowait = iocb->ki_flags & IOCB_NOWAIT ||
		      iocb->ki_filp->f_flags & O_NONBLOCK ||
		      READ_ONCE(queue->nowait);
	ssize_t done;
	bool gone;
	int err;

	if (iov_iter_count(to) < sizeof(struct vloop_record))
		return -EINVAL;
	for (;;) {
		/* Looked at first: what is posted until then is still read. */
		gone = queue_gone(queue);
		done = read_records(queue, to);
		if (done)
			return done;
		if (gone)
			return 0;
		if (queue_gone(queue))
			continue;
		if (nowait) {
			/* Whoever polls edge-triggered does not poll again. */
			if (vloop_queue_enable_kicks(queue))
				continue;
			return -EAGAIN;
		}
		err = wait_event_interruptible(queue->readers,
					       vloop_queue_enable_kicks(queue) ||
					       queue_gone(queue));
		if (err) {
			vloop_check_server(queue->device);
			return err;
		}
	}
}

/* Whether operations make sense at all now; each one is checked again. */
static int check_serving(struct vloop_queue *queue)
{
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&queue->lock, flags);
	if (queue_gone(queue) || vloop_deserted(queue->device)) {
		err = -ENODEV;
	} else if (!queue->ready) {
		queue->stats->stale++;
		err = -ESTALE;
	} else {
		queue->stats->writes++;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}

static ssize_t vloop_queue_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct vloop_queue *queue = iocb->ki_filp->private_data;
	struct blk_plug plug;
	struct vloop_op op;
	ssize_t done = 0;
	int err;

	if (iov_iter_count(from) < sizeof(op))
		return -EINVAL;
	err = check_serving(queue);
	if (err)
		return err;

	blk_start_plug(&plug);
	while (iov_iter_count(from) >= sizeof(op)) {
		/* Copied once: what is checked is what is used. */
		if (!copy_from_iter_full(&op, sizeof(op), from)) {
			err = -EFAULT;
			break;
		}
		err = vloop_op_submit(queue, &op);
		if (err)
			break;
		done += sizeof(op);
	}
	blk_finish_plug(&plug);

	/* One interrupt for all that ended in this call. */
	vloop_queue_signal(queue);
	return done ? done : err;
}

static __poll_t vloop_queue_poll(struct file *file, poll_table *wait)
{
	struct vloop_queue *queue = file->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &queue->readers, wait);
	if (vloop_queue_enable_kicks(queue))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (queue_gone(queue))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return mask;
}

static int vloop_queue_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vloop_queue *queue = file->private_data;
	void *page;

	if (vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	switch ((u64)vma->vm_pgoff << PAGE_SHIFT) {
	case VLOOP_MMAP_AVAIL:
		page = queue->vring.avail;
		break;
	case VLOOP_MMAP_STATS:
		page = queue->stats;
		break;
	default:
		return -EINVAL;
	}
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	/* Read-only now and for ever: mprotect() must not change that. */
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(page));
}

static int vloop_queue_flush(struct file *file, fl_owner_t id)
{
	struct vloop_queue *queue = file->private_data;

	vloop_check_server(queue->device);
	return 0;
}

static int vloop_queue_release(struct inode *inode, struct file *file)
{
	struct vloop_queue *queue = file->private_data;
	struct vloop_device *vd = queue->device;

	vloop_queue_redeliver(queue);
	mutex_lock(&vd->lock);
	queue->opened = false;
	mutex_unlock(&vd->lock);
	put_device(&vd->dev);
	return 0;
}

static const struct file_operations vloop_queue_fops = {
	.owner = THIS_MODULE,
	.read_iter = vloop_queue_read_iter,
	.write_iter = vloop_queue_write_iter,
	.poll = vloop_queue_poll,
	.mmap = vloop_queue_mmap,
	.flush = vloop_queue_flush,
	.release = vloop_queue_release,
	.llseek = noop_llseek,
};

int vloop_queue_fd(struct vloop_device *vd, const struct vloop_queue_fd *arg)
{
	struct vloop_queue *queue;
	struct file *file;
	int fd = -EBUSY;

	if (arg->flags & ~VLOOP_QUEUE_NOWAIT || arg->reserved[0] || arg->reserved[1] ||
	    arg->index >= vd->num_queues)
		return -EINVAL;
	queue = &vd->queues[array_index_nospec(arg->index, vd->num_queues)];

	mutex_lock(&vd->lock);
	if (queue->opened)
		goto unlock;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto unlock;
	file = anon_inode_getfile("[vloop-queue]", &vloop_queue_fops, queue,
				  O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto unlock;
	}
	/* Neither read nor write sleeps when asked not to. */
	file->f_mode |= FMODE_NOWAIT;
	stream_open(NULL, file);
	get_device(&vd->dev);
	queue->opened = true;
	WRITE_ONCE(queue->nowait, arg->flags & VLOOP_QUEUE_NOWAIT);
	fd_install(fd, file);
unlock:
	mutex_unlock(&vd->lock);
	return fd;
}
