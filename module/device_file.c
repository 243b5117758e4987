// SPDX-License-Identifier: GPL-2.0
/* The device descriptor: the control plane, for as long as its session lasts. */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "vloop.h"

static int vloop_device_flush(struct file *file, fl_owner_t id)
{
	vloop_check_server(file->private_data);
	return 0;
}

static int vloop_device_close(struct inode *inode, struct file *file)
{
	struct vloop_session *session = file->private_data;
	struct vloop_device *vd = session->device;

	mutex_lock(&vd->lock);
	vloop_session_end(session, VLOOP_END_DEATH);
	mutex_unlock(&vd->lock);
	vloop_session_put(session);
	return 0;
}

static bool next_event(struct vloop_session *session,
		       struct vloop_record *record)
{
	static const enum vloop_event order[] = {
		VLOOP_EVENT_STATUS, VLOOP_EVENT_HAND_OVER, VLOOP_EVENT_STOP,
		VLOOP_EVENT_GONE,
	};
	struct vloop_device *vd = session->device;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		if (test_and_clear_bit(order[i], &session->events))
			break;
	if (i == ARRAY_SIZE(order))
		return false;
	memset(record, 0, sizeof(*record));
	record->type = VLOOP_RECORD_EVENT;
	record->event.event = order[i];
	if (order[i] == VLOOP_EVENT_STATUS) {
		record->event.arg = READ_ONCE(vd->status);
		record->event.value = READ_ONCE(vd->vdev.features);
	} else if (order[i] == VLOOP_EVENT_GONE) {
		record->event.arg = -vd->start_error;
	}
	return true;
}

/* Whether nothing can be told any more. */
static bool is_at_end(struct vloop_session *session)
{
	if (READ_ONCE(session->over))
		return true;
	/* Orders the state before the events, as set_gone() does. */
	return smp_load_acquire(&session->device->state) ==
	       VLOOP_STATE_GONE && !READ_ONCE(session->events);
}

static ssize_t vloop_device_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct vloop_session *session = iocb->ki_filp->private_data;
	bool nowait = iocb->ki_flags & IOCB_NOWAIT ||
		      iocb->ki_filp->f_flags & O_NONBLOCK;
	struct vloop_record record;
	int err;

	if (iov_iter_count(to) < sizeof(record))
		return -EINVAL;
	for (;;) {
		if (is_at_end(session))
			return 0;
		if (next_event(session, &record))
			break;
		if (is_at_end(session))
			continue;
		if (nowait)
			return -EAGAIN;
		err = wait_event_interruptible(session->readers,
					       READ_ONCE(session->events) ||
					       is_at_end(session));
		if (err) {
			vloop_check_server(session);
			return err;
		}
	}
	if (copy_to_iter(&record, sizeof(record), to) != sizeof(record)) {
		vloop_session_event(session, record.event.event);
		return -EFAULT;
	}
	return sizeof(record);
}

static __poll_t vloop_device_poll(struct file *file, poll_table *wait)
{
	struct vloop_session *session = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &session->readers, wait);
	if (READ_ONCE(session->events))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(session->over) ||
	    READ_ONCE(session->device->state) == VLOOP_STATE_GONE)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return mask;
}

static long device_info(struct vloop_session *session, void __user *user)
{
	struct vloop_device *vd = session->device;
	struct vloop_device_info info = {
		.virtio_index = -1,
		.features = vd->features,
		.id = vd->id,
		.device_id = vd->device_id,
		.num_queues = vd->num_queues,
		.config_len = vd->config.length,
		.on_exit = vd->on_exit,
		.grace_ms = vd->grace_ms,
		.flags = vd->window ? VLOOP_CREATE_WINDOW : 0,
	};

	mutex_lock(&vd->lock);
	info.state = vd->state;
	if (vd->state == VLOOP_STATE_STARTING || vd->state == VLOOP_STATE_LIVE)
		info.virtio_index = vd->vdev.dev.kobj.state_in_sysfs ?
				    vd->vdev.index : -1;
	info.driver_features = vd->vdev.features;
	info.driver_status = READ_ONCE(vd->status);
	info.service = vd->service;
	info.server_pid = vloop_server_pid(vd);
	info.recoveries = vd->recoveries;
	mutex_unlock(&vd->lock);
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long vloop_device_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	struct vloop_session *session = file->private_data;
	void __user *user = (void __user *)arg;

	/* What matters is checked again where it happens. */
	if (READ_ONCE(session->over))
		return -ENODEV;
	switch (cmd) {
	case VLOOP_START:
		return vloop_device_start(session);
	case VLOOP_REMOVE:
		return vloop_device_remove(session);
	case VLOOP_DETACH:
		return vloop_detach(session);
	case VLOOP_GET_DEVICE_INFO:
		return device_info(session, user);
	case VLOOP_SET_FILE:
		return vloop_set_file(session, user);
	case VLOOP_GET_CONFIG:
		return vloop_get_config(session, user);
	case VLOOP_SET_CONFIG:
		return vloop_set_config(session, user);
	case VLOOP_QUEUE_FD:
		return vloop_queue_fd(session, user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations vloop_device_fops = {
	.owner = THIS_MODULE,
	.read_iter = vloop_device_read_iter,
	.poll = vloop_device_poll,
	.unlocked_ioctl = vloop_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.flush = vloop_device_flush,
	.release = vloop_device_close,
	.llseek = noop_llseek,
};

/* The file takes over the caller's reference to @session if it is made. */
static struct file *make_file(struct vloop_session *session)
{
	struct file *file;

	file = anon_inode_getfile("[vloop-device]", &vloop_device_fops, session,
				  O_RDWR);
	if (IS_ERR(file))
		return file;
	file->f_mode |= FMODE_NOWAIT;
	stream_open(NULL, file);
	return file;
}

/*
 * Make the caller the server of @vd and return its device descriptor.  @begin
 * makes the new session the current one; it comes when nothing else can fail.
 */
int vloop_session_open(struct vloop_device *vd,
		       int (*begin)(struct vloop_session *session,
				    const void *arg),
		       const void *arg)
{
	struct vloop_session *session;
	struct file *file;
	int fd, err;

	session = vloop_session_new(vd);
	if (!session)
		return -ENOMEM;
	file = make_file(session);
	if (IS_ERR(file)) {
		vloop_session_put(session);
		return PTR_ERR(file);
	}
	fd = get_unused_fd_flags(O_CLOEXEC);
	err = fd < 0 ? fd : begin(session, arg);
	if (err) {
		if (fd >= 0)
			put_unused_fd(fd);
		fput(file);
		return err;
	}
	fd_install(fd, file);
	return fd;
}
