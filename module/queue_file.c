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

static bool is_gone(struct vloop_queue *queue)
{
	/* Orders the state before what is read next. */
	return smp_load_acquire(&queue->device->state) == VLOOP_STATE_GONE;
}

/* Whether nothing can come any more but what is there already. */
static bool is_at_end(struct vloop_queue_file *qf)
{
	return vloop_queue_file_is_void(qf) || is_gone(qf->queue);
}

/* Copy records out until there is no room or no record. */
static ssize_t read_records(struct vloop_queue_file *qf, struct iov_iter *to)
{
	struct vloop_record records[RECORDS_AT_ONCE];
	unsigned int max, n;
	ssize_t done = 0;
	size_t copied;

	while ((max = min_t(size_t, iov_iter_count(to) / sizeof(*records),
			    RECORDS_AT_ONCE))) {
		n = vloop_queue_fetch(qf, records, max);
		if (!n)
			break;
		vloop_window_make_fresh(qf->queue, records, n);
		copied = copy_to_iter(records, n * sizeof(*records), to);
		copied -= copied % sizeof(*records);
		done += copied;
		if (copied < n * sizeof(*records)) {
			vloop_queue_unfetch(qf, records + copied / sizeof(*records),
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
	struct vloop_queue_file *qf = iocb->ki_filp->private_data;
	struct vloop_queue *queue = qf->queue;
	bool nowait = iocb->ki_flags & IOCB_NOWAIT ||
		      iocb->ki_filp->f_flags & O_NONBLOCK || qf->nowait;
	ssize_t done;
	bool gone;
	int err;

	if (iov_iter_count(to) < sizeof(struct vloop_record))
		return -EINVAL;
	for (;;) {
		/* Looked at first: what is posted until then is still read. */
		gone = is_at_end(qf);
		done = read_records(qf, to);
		if (done)
			return done;
		if (gone)
			return 0;
		if (is_at_end(qf))
			continue;
		if (nowait) {
			/* Whoever polls edge-triggered does not poll again. */
			if (vloop_queue_enable_kicks(qf))
				continue;
			return -EAGAIN;
		}
		err = wait_event_interruptible(queue->readers,
					       vloop_queue_enable_kicks(qf) ||
					       is_at_end(qf));
		if (err) {
			vloop_check_server(qf->session);
			return err;
		}
	}
}

/* Whether operations make sense at all now; each one is checked again. */
static int check_serving(struct vloop_queue_file *qf)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;
	int err = 0;

	spin_lock_irqsave(&queue->lock, flags);
	if (is_at_end(qf)) {
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

/*
 * Operations name memory of whoever writes them.  A program that may do more than
 * who opened the queue, and writes what it is told to its output, must not become
 * its tool.  Who gave up rights since may go on.
 */
static bool may_operate(struct file *file)
{
	const struct cred *opener = file->f_cred, *caller = current_cred();

	return caller == opener ||
	       (uid_eq(caller->euid, opener->euid) &&
		cap_issubset(caller->cap_permitted, opener->cap_permitted)) ||
	       file_ns_capable(file, &init_user_ns, CAP_SYS_PTRACE);
}

static ssize_t vloop_queue_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct vloop_queue_file *qf = iocb->ki_filp->private_data;
	struct blk_plug plug;
	struct vloop_op op;
	ssize_t done = 0;
	int err;

	if (!may_operate(iocb->ki_filp))
		return -EPERM;
	if (iov_iter_count(from) < sizeof(op))
		return -EINVAL;
	err = check_serving(qf);
	if (err)
		return err;

	blk_start_plug(&plug);
	while (iov_iter_count(from) >= sizeof(op)) {
		/* Copied once: what is checked is what is used. */
		if (!copy_from_iter_full(&op, sizeof(op), from)) {
			err = -EFAULT;
			break;
		}
		err = vloop_op_submit(qf, &op);
		if (err)
			break;
		done += sizeof(op);
	}
	blk_finish_plug(&plug);

	/* One interrupt for all that ended in this call. */
	vloop_queue_signal(qf->queue);
	return done ? done : err;
}

static __poll_t vloop_queue_poll(struct file *file, poll_table *wait)
{
	struct vloop_queue_file *qf = file->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &qf->queue->readers, wait);
	if (vloop_queue_enable_kicks(qf))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (is_at_end(qf))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return mask;
}

static int vloop_queue_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct vloop_queue_file *qf = file->private_data;
	struct vloop_queue *queue = qf->queue;
	void *page;

	if (vloop_queue_file_is_void(qf))
		return -ENODEV;
	if (vma->vm_pgoff >= VLOOP_MMAP_DESCS >> PAGE_SHIFT)
		return vloop_window_mmap(queue, vma);
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
	struct vloop_queue_file *qf = file->private_data;

	vloop_check_server(qf->session);
	return 0;
}

static int vloop_queue_release(struct inode *inode, struct file *file)
{
	struct vloop_queue_file *qf = file->private_data;

	vloop_window_forsake(file);
	vloop_queue_close(qf);
	vloop_session_put(qf->session);
	kfree(qf);
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

static struct file *make_file(struct vloop_session *session,
			      const struct vloop_queue_fd *arg)
{
	struct vloop_device *vd = session->device;
	struct vloop_queue_file *qf;
	struct file *file;

	qf = kzalloc(sizeof(*qf), GFP_KERNEL_ACCOUNT);
	if (!qf)
		return ERR_PTR(-ENOMEM);
	qf->queue = &vd->queues[array_index_nospec(arg->index, vd->num_queues)];
	qf->session = session;
	qf->nowait = arg->flags & VLOOP_QUEUE_NOWAIT;
	file = anon_inode_getfile("[vloop-queue]", &vloop_queue_fops, qf,
				  O_RDWR);
	if (IS_ERR(file)) {
		kfree(qf);
		return file;
	}
	vloop_session_get(session);
	/* Neither read nor write sleeps when asked not to. */
	file->f_mode |= FMODE_NOWAIT;
	stream_open(NULL, file);
	vloop_window_adopt(file, qf->queue);
	return file;
}

long vloop_queue_fd(struct vloop_session *session,
		    struct vloop_queue_fd __user *user)
{
	struct vloop_device *vd = session->device;
	struct vloop_queue_fd arg;
	struct file *file;
	int fd, err;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.flags & ~VLOOP_QUEUE_NOWAIT || arg.pad || arg.reserved[0] ||
	    arg.reserved[1] || arg.index >= vd->num_queues)
		return -EINVAL;
	file = make_file(session, &arg);
	if (IS_ERR(file))
		return PTR_ERR(file);
	fd = get_unused_fd_flags(O_CLOEXEC);
	err = fd < 0 ? fd : put_user(vd->queues[arg.index].size, &user->size);
	/* Until this the descriptor is void, and nothing fails after it. */
	if (!err)
		err = vloop_queue_open(file->private_data);
	if (err) {
		if (fd >= 0)
			put_unused_fd(fd);
		fput(file);
		return err;
	}
	fd_install(fd, file);
	return fd;
}
