// SPDX-License-Identifier: GPL-2.0
/*
 * A device's life and its descriptor.
 *
 *   VLOOP_CREATE ─> CREATED ─ VLOOP_START ─> STARTING ─> LIVE
 *                      │                        │          │
 *                      └──── VLOOP_REMOVE, last close or death of the server
 *                                               │
 *                            REMOVING (unregistering) ─> GONE
 *
 * Registering and unregistering run in a work item: drivers do I/O in probe and
 * remove, which the very process that asked for it has to serve.  That process
 * may die at any time; from then on (deserted) the module answers requests by
 * each queue's death policy, so that neither can wait for ever.
 */
#include <linux/anon_inodes.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "vloop.h"

struct class vloop_class = {
	.name = "vloop",
};

#define VLOOP_WATCH_INTERVAL	HZ

static DEFINE_IDA(vloop_ids);
static struct workqueue_struct *vloop_control_wq;
static atomic_t vloop_devices = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(vloop_devices_none);

/* Virtio feature bits that belong to the transport (virtio 1.3, section 2.2). */
#define TRANSPORT_FEATURE_BITS GENMASK_ULL(VIRTIO_TRANSPORT_F_END - 1, \
					   VIRTIO_TRANSPORT_F_START)

void vloop_device_event(struct vloop_device *vd, enum vloop_event event)
{
	set_bit(event, &vd->events);
	wake_up_interruptible_poll(&vd->readers, EPOLLIN);
}

static void control_kick(struct vloop_device *vd)
{
	get_device(&vd->dev);
	if (!queue_work(vloop_control_wq, &vd->control))
		put_device(&vd->dev);
}

static void release_vdev(struct device *dev)
{
	put_device(&vdev_to_vloop(dev_to_virtio(dev))->dev);
}

static int register_vdev(struct vloop_device *vd)
{
	int err;

	vd->vdev.id.device = vd->device_id;
	vd->vdev.config = &vloop_config_ops;
	vd->vdev.dev.parent = &vd->dev;
	vd->vdev.dev.release = release_vdev;
	get_device(&vd->dev);
	err = register_virtio_device(&vd->vdev);
	if (err)
		put_device(&vd->vdev.dev);
	return err;
}

static void empty_files(struct vloop_device *vd)
{
	unsigned int i;

	for (i = 0; i < VLOOP_FILES_MAX; i++)
		vloop_file_put(rcu_replace_pointer(vd->files[i], NULL, true));
}

/* The backing files are free again, whoever still holds a descriptor. */
static void set_gone(struct vloop_device *vd)
{
	unsigned int i;

	empty_files(vd);
	device_del(&vd->dev);
	set_bit(VLOOP_EVENT_GONE, &vd->events);
	/* Orders the event before the state: who sees GONE finds the event. */
	smp_store_release(&vd->state, VLOOP_STATE_GONE);
	wake_up_interruptible_poll(&vd->readers, EPOLLIN | EPOLLHUP);
	for (i = 0; i < vd->num_queues; i++)
		wake_up_interruptible_poll(&vd->queues[i].readers,
					   EPOLLIN | EPOLLHUP);
}

/* One step of the life cycle; returns false when there is none to take. */
static bool control_step(struct vloop_device *vd)
{
	bool again = true;

	mutex_lock(&vd->lock);
	switch (vd->state) {
	case VLOOP_STATE_STARTING:
		mutex_unlock(&vd->lock);
		vd->start_error = register_vdev(vd);
		mutex_lock(&vd->lock);
		if (vd->start_error)
			set_gone(vd);
		else
			vd->state = VLOOP_STATE_LIVE;
		break;
	case VLOOP_STATE_LIVE:
		again = vd->remove_wanted;
		if (again)
			vd->state = VLOOP_STATE_REMOVING;
		break;
	case VLOOP_STATE_REMOVING:
		mutex_unlock(&vd->lock);
		unregister_virtio_device(&vd->vdev);
		mutex_lock(&vd->lock);
		set_gone(vd);
		break;
	case VLOOP_STATE_CREATED:
		again = vd->remove_wanted;
		if (again)
			set_gone(vd);
		break;
	case VLOOP_STATE_GONE:
		again = false;
		break;
	}
	mutex_unlock(&vd->lock);
	return again;
}

static void control_work(struct work_struct *work)
{
	struct vloop_device *vd = container_of(work, struct vloop_device,
					       control);

	while (control_step(vd))
		;
	put_device(&vd->dev);
}

static void want_remove(struct vloop_device *vd)
{
	mutex_lock(&vd->lock);
	vd->remove_wanted = true;
	mutex_unlock(&vd->lock);
	control_kick(vd);
}

/* Nobody serves this device from now on: the module answers, then removes it. */
void vloop_device_desert(struct vloop_device *vd)
{
	unsigned int i;

	WRITE_ONCE(vd->deserted, true);
	/* Orders the flag before the reapers' look at the available rings. */
	smp_mb();
	for (i = 0; i < vd->num_queues; i++)
		queue_work(vd->wq, &vd->queues[i].reap);
	want_remove(vd);
}

static bool server_is_dead(struct vloop_device *vd)
{
	struct task_struct *server;
	bool dead;

	rcu_read_lock();
	server = pid_task(vd->server, PIDTYPE_TGID);
	dead = !server || READ_ONCE(server->signal->flags) & SIGNAL_GROUP_EXIT ||
	       !atomic_read(&server->signal->live);
	rcu_read_unlock();
	return dead;
}

/*
 * Called wherever the server's end may show first.  ->flush runs for each close
 * of each duplicate, in forked children too: only the server's own end counts,
 * and it counts even while a child or an io_uring keeps a descriptor open.
 */
void vloop_check_server(struct vloop_device *vd)
{
	if (!vloop_deserted(vd) && server_is_dead(vd))
		vloop_device_desert(vd);
}

/*
 * A killed server with a thread that waits for its own disk closes nothing: the
 * thread would have to end first.  So look at it now and then.
 */
static void watch_work(struct work_struct *work)
{
	struct vloop_device *vd = container_of(to_delayed_work(work),
					       struct vloop_device, watch);

	vloop_check_server(vd);
	if (!vloop_deserted(vd))
		queue_delayed_work(vloop_control_wq, &vd->watch,
				   VLOOP_WATCH_INTERVAL);
}

static int vloop_device_flush(struct file *file, fl_owner_t id)
{
	vloop_check_server(file->private_data);
	return 0;
}

static int vloop_device_close(struct inode *inode, struct file *file)
{
	struct vloop_device *vd = file->private_data;

	vloop_device_desert(vd);
	cancel_delayed_work_sync(&vd->watch);
	put_device(&vd->dev);
	return 0;
}

static bool next_event(struct vloop_device *vd, struct vloop_record *record)
{
	memset(record, 0, sizeof(*record));
	record->type = VLOOP_RECORD_EVENT;
	if (test_and_clear_bit(VLOOP_EVENT_STATUS, &vd->events)) {
		record->event.event = VLOOP_EVENT_STATUS;
		record->event.arg = READ_ONCE(vd->status);
		record->event.value = READ_ONCE(vd->vdev.features);
		return true;
	}
	if (test_and_clear_bit(VLOOP_EVENT_GONE, &vd->events)) {
		record->event.event = VLOOP_EVENT_GONE;
		record->event.arg = -vd->start_error;
		return true;
	}
	return false;
}

static ssize_t vloop_device_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct vloop_device *vd = iocb->ki_filp->private_data;
	bool nowait = iocb->ki_flags & IOCB_NOWAIT ||
		      iocb->ki_filp->f_flags & O_NONBLOCK;
	struct vloop_record record;
	int err;

	if (iov_iter_count(to) < sizeof(record))
		return -EINVAL;
	while (!next_event(vd, &record)) {
		/* Orders the state before the events, as set_gone() does. */
		if (smp_load_acquire(&vd->state) == VLOOP_STATE_GONE &&
		    !READ_ONCE(vd->events))
			return 0;
		if (nowait)
			return -EAGAIN;
		err = wait_event_interruptible(vd->readers,
					       READ_ONCE(vd->events) ||
					       READ_ONCE(vd->state) ==
					       VLOOP_STATE_GONE);
		if (err) {
			vloop_check_server(vd);
			return err;
		}
	}
	if (copy_to_iter(&record, sizeof(record), to) != sizeof(record)) {
		vloop_device_event(vd, record.event.event);
		return -EFAULT;
	}
	return sizeof(record);
}

static __poll_t vloop_device_poll(struct file *file, poll_table *wait)
{
	struct vloop_device *vd = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &vd->readers, wait);
	if (READ_ONCE(vd->events))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(vd->state) == VLOOP_STATE_GONE)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLHUP;
	return mask;
}

static long device_start(struct vloop_device *vd)
{
	long err = 0;

	mutex_lock(&vd->lock);
	if (vd->state == VLOOP_STATE_CREATED && !vd->remove_wanted)
		vd->state = VLOOP_STATE_STARTING;
	else
		err = -EBUSY;
	mutex_unlock(&vd->lock);
	if (!err) {
		control_kick(vd);
		queue_delayed_work(vloop_control_wq, &vd->watch,
				   VLOOP_WATCH_INTERVAL);
	}
	return err;
}

static long device_remove(struct vloop_device *vd)
{
	want_remove(vd);
	return 0;
}

static long device_info(struct vloop_device *vd, void __user *user)
{
	struct vloop_device_info info = {
		.virtio_index = -1,
		.features = vd->features,
		.id = vd->id,
	};

	mutex_lock(&vd->lock);
	info.state = vd->state;
	if (vd->state == VLOOP_STATE_STARTING || vd->state == VLOOP_STATE_LIVE)
		info.virtio_index = vd->vdev.dev.kobj.state_in_sysfs ?
				    vd->vdev.index : -1;
	info.driver_features = vd->vdev.features;
	info.driver_status = READ_ONCE(vd->status);
	mutex_unlock(&vd->lock);
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

/* A disk whose backing is itself would wait for itself. */
static bool is_own_disk(struct vloop_device *vd, struct inode *inode)
{
	struct device *dev;

	if (!S_ISBLK(inode->i_mode))
		return false;
	for (dev = disk_to_dev(I_BDEV(inode)->bd_disk); dev; dev = dev->parent)
		if (dev == &vd->vdev.dev)
			return true;
	return false;
}

static int check_file(struct vloop_device *vd, struct file *file)
{
	struct inode *inode = file->f_mapping->host;

	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return -EINVAL;
	/* Every write would land at the end, wherever it was meant to. */
	if (file->f_flags & O_APPEND)
		return -EINVAL;
	return is_own_disk(vd, inode) ? -EBUSY : 0;
}

static struct vloop_file *wrap_file(struct vloop_device *vd, int fd)
{
	struct vloop_file *vf;
	int err;

	vf = kzalloc(sizeof(*vf), GFP_KERNEL_ACCOUNT);
	if (!vf)
		return ERR_PTR(-ENOMEM);
	refcount_set(&vf->users, 1);
	vf->file = fget(fd);
	if (!vf->file) {
		kfree(vf);
		return ERR_PTR(-EBADF);
	}
	err = check_file(vd, vf->file);
	if (err) {
		vloop_file_put(vf);
		return ERR_PTR(err);
	}
	return vf;
}

static long device_set_file(struct vloop_device *vd, void __user *user)
{
	struct vloop_file *vf = NULL, *old;
	struct vloop_set_file arg;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.index >= VLOOP_FILES_MAX || arg.fd < -1 || arg.reserved[0] ||
	    arg.reserved[1])
		return -EINVAL;
	arg.index = array_index_nospec(arg.index, VLOOP_FILES_MAX);
	if (arg.fd >= 0) {
		vf = wrap_file(vd, arg.fd);
		if (IS_ERR(vf))
			return PTR_ERR(vf);
	}
	mutex_lock(&vd->lock);
	if (vd->state == VLOOP_STATE_GONE) {
		mutex_unlock(&vd->lock);
		vloop_file_put(vf);
		return -ENODEV;
	}
	old = rcu_replace_pointer(vd->files[arg.index], vf,
				  lockdep_is_held(&vd->lock));
	mutex_unlock(&vd->lock);
	vloop_file_put(old);
	return 0;
}

static long vloop_device_ioctl(struct file *file, unsigned int cmd,
			       unsigned long arg)
{
	struct vloop_device *vd = file->private_data;
	void __user *user = (void __user *)arg;
	struct vloop_queue_fd queue_fd;

	switch (cmd) {
	case VLOOP_START:
		return device_start(vd);
	case VLOOP_REMOVE:
		return device_remove(vd);
	case VLOOP_GET_DEVICE_INFO:
		return device_info(vd, user);
	case VLOOP_SET_FILE:
		return device_set_file(vd, user);
	case VLOOP_QUEUE_FD:
		if (copy_from_user(&queue_fd, user, sizeof(queue_fd)))
			return -EFAULT;
		return vloop_queue_fd(vd, &queue_fd);
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

static void release_device(struct device *dev)
{
	struct vloop_device *vd = container_of(dev, struct vloop_device, dev);
	unsigned int i;

	if (vd->wq)
		destroy_workqueue(vd->wq);
	for (i = 0; i < vd->num_queues; i++)
		vloop_queue_destroy(&vd->queues[i]);
	empty_files(vd);
	kfree(vd->config);
	put_pid(vd->server);
	ida_free(&vloop_ids, vd->id);
	kvfree(vd);
	if (atomic_dec_and_test(&vloop_devices))
		wake_up(&vloop_devices_none);
}

static int check_create(const struct vloop_create *arg)
{
	if (!arg->num_queues || arg->num_queues > VLOOP_QUEUES_MAX ||
	    arg->config_len > VLOOP_CONFIG_MAX)
		return -EINVAL;
	return 0;
}

static int check_queue(const struct vloop_queue_config *config)
{
	if (!is_power_of_2(config->size) ||
	    config->size < VLOOP_QUEUE_SIZE_MIN ||
	    config->size > VLOOP_QUEUE_SIZE_MAX ||
	    config->death_policy > VLOOP_DEATH_LEAVE ||
	    memchr_inv(config->reserved, 0, sizeof(config->reserved)))
		return -EINVAL;
	return 0;
}

static int init_queues(struct vloop_device *vd, const struct vloop_create *arg)
{
	struct vloop_queue_config *configs;
	unsigned int i;
	int err = 0;

	configs = memdup_array_user(u64_to_user_ptr(arg->queues),
				    arg->num_queues, sizeof(*configs));
	if (IS_ERR(configs))
		return PTR_ERR(configs);
	for (i = 0; i < arg->num_queues && !err; i++) {
		err = check_queue(&configs[i]);
		if (!err)
			err = vloop_queue_init(vd, i, &configs[i]);
	}
	kfree(configs);
	return err;
}

static int init_config(struct vloop_device *vd, const struct vloop_create *arg)
{
	if (!arg->config_len)
		return 0;
	vd->config = memdup_user(u64_to_user_ptr(arg->config), arg->config_len);
	if (IS_ERR(vd->config)) {
		int err = PTR_ERR(vd->config);

		vd->config = NULL;
		return err;
	}
	vd->config_len = arg->config_len;
	return 0;
}

/* A device that release_device() can free, whatever came after. */
static struct vloop_device *alloc_device(const struct vloop_create *arg)
{
	struct vloop_device *vd;
	int id;

	id = ida_alloc(&vloop_ids, GFP_KERNEL);
	if (id < 0)
		return ERR_PTR(id);
	vd = kvzalloc(struct_size(vd, queues, arg->num_queues),
		      GFP_KERNEL_ACCOUNT);
	if (!vd) {
		ida_free(&vloop_ids, id);
		return ERR_PTR(-ENOMEM);
	}
	vd->id = id;
	vd->num_queues = arg->num_queues;
	vd->device_id = arg->device_id;
	vd->vdev.id.vendor = arg->vendor_id;
	vd->features = (arg->features & ~TRANSPORT_FEATURE_BITS) |
		       (arg->features & VLOOP_TRANSPORT_FEATURES) |
		       BIT_ULL(VIRTIO_F_VERSION_1);
	vd->server = get_pid(task_tgid(current));
	mutex_init(&vd->lock);
	init_waitqueue_head(&vd->readers);
	INIT_WORK(&vd->control, control_work);
	INIT_DELAYED_WORK(&vd->watch, watch_work);
	atomic_inc(&vloop_devices);
	device_initialize(&vd->dev);
	vd->dev.class = &vloop_class;
	vd->dev.release = release_device;
	return vd;
}

static int init_device(struct vloop_device *vd, const struct vloop_create *arg)
{
	int err;

	err = dev_set_name(&vd->dev, "vloop%d", vd->id);
	if (err)
		return err;
	vd->wq = alloc_workqueue("vloop%d", WQ_MEM_RECLAIM | WQ_UNBOUND, 0,
				 vd->id);
	if (!vd->wq)
		return -ENOMEM;
	err = init_queues(vd, arg);
	if (!err)
		err = init_config(vd, arg);
	if (!err)
		err = vloop_check_class(vd);
	return err;
}

/* Returns the new device's descriptor. */
int vloop_device_create(struct vloop_create *arg,
			struct vloop_create __user *user)
{
	struct vloop_device *vd;
	struct file *file;
	int fd, err;

	err = check_create(arg);
	if (err)
		return err;
	vd = alloc_device(arg);
	if (IS_ERR(vd))
		return PTR_ERR(vd);
	err = init_device(vd, arg);
	if (err)
		goto put;
	err = put_user(vd->id, &user->id);
	if (err)
		goto put;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto put;
	}
	err = device_add(&vd->dev);
	if (err)
		goto put_fd;
	file = anon_inode_getfile("[vloop-device]", &vloop_device_fops, vd,
				  O_RDWR);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto del;
	}
	/* From here on the descriptor owns the device. */
	file->f_mode |= FMODE_NOWAIT;
	stream_open(NULL, file);
	fd_install(fd, file);
	return fd;

del:
	device_del(&vd->dev);
put_fd:
	put_unused_fd(fd);
put:
	put_device(&vd->dev);
	return err;
}

int vloop_devices_init(void)
{
	int err;

	vloop_control_wq = alloc_workqueue("vloop-control", WQ_UNBOUND, 0);
	if (!vloop_control_wq)
		return -ENOMEM;
	err = class_register(&vloop_class);
	if (err)
		destroy_workqueue(vloop_control_wq);
	return err;
}

/*
 * No descriptor is open, or the module could not be unloaded; devices whose
 * server died may still be on their way out.
 */
void vloop_devices_exit(void)
{
	wait_event(vloop_devices_none, atomic_read(&vloop_devices) == 0);
	destroy_workqueue(vloop_control_wq);
	class_unregister(&vloop_class);
	ida_destroy(&vloop_ids);
	/* Files of the table are freed by RCU. */
	rcu_barrier();
}
