// SPDX-License-Identifier: GPL-2.0
/*
 * A device's life.
 *
 *   VLOOP_CREATE ─> CREATED ─ VLOOP_START ─> STARTING ─> LIVE
 *                      │                        │          │
 *                      └──── VLOOP_REMOVE, VLOOP_STOP, or the end of the server
 *                                               │         if nobody may follow it
 *                            REMOVING (unregistering) ─> GONE
 *
 * Registering and unregistering run in a work item: drivers do I/O in probe and
 * remove, which the very process that asked for it has to serve.  That process
 * may die at any time; session.c says who answers then, so that neither can wait
 * for ever.
 */
#include <linux/completion.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "trace.h"
#include "vloop.h"

struct workqueue_struct *vloop_control_wq;

/* And one for the module, until it is unloaded. */
static atomic_t vloop_devices = ATOMIC_INIT(1);
static DECLARE_COMPLETION(vloop_devices_none);

/*
 * Virtio feature bits that belong to the transport (virtio 1.3, section 2.2), also
 * those that VIRTIO_TRANSPORT_F_END of an older kernel leaves out.
 */
#define TRANSPORT_FEATURE_BITS GENMASK_ULL(41, VIRTIO_TRANSPORT_F_START)

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

/* The backing files are free again, whoever still holds a descriptor. */
static void set_gone(struct vloop_device *vd)
{
	struct vloop_session *session;
	unsigned int i;

	vloop_id_withdraw(vd);
	vloop_announce_end(vd);
	/* Without the lock: this waits for whoever reads attributes. */
	device_del(&vd->dev);

	mutex_lock(&vd->lock);
	vloop_files_empty(vd);
	session = vloop_server(vd);
	trace_vloop_event(vd, -1, VLOOP_EVENT_GONE, -vd->start_error, 0);
	if (session)
		set_bit(VLOOP_EVENT_GONE, &session->events);
	else
		vloop_device_fail(vd);	/* nothing is waited for any more */
	/* Orders the event before the state: who sees GONE finds the event. */
	smp_store_release(&vd->state, VLOOP_STATE_GONE);
	if (session)
		wake_up_interruptible_poll(&session->readers,
					   EPOLLIN | EPOLLHUP);
	wake_up_interruptible_all(&vd->attachers);
	mutex_unlock(&vd->lock);

	for (i = 0; i < vd->num_queues; i++)
		wake_up_interruptible_poll(&vd->queues[i].readers,
					   EPOLLIN | EPOLLHUP);
	/* Unloading waits for this work to end: see vloop_devices_exit(). */
	module_put(THIS_MODULE);
}

/* Register the device; the driver may probe it meanwhile. */
static void start(struct vloop_device *vd)
{
	int err = register_vdev(vd);

	mutex_lock(&vd->lock);
	vd->start_error = err;
	if (err)
		vd->remove_wanted = true;
	else
		vd->state = VLOOP_STATE_LIVE;
	vloop_config_tell(vd);
	mutex_unlock(&vd->lock);
	if (err)
		set_gone(vd);
}

/* One step of the life cycle; returns false when there is none to take. */
static bool control_step(struct vloop_device *vd)
{
	enum vloop_state state;
	bool wanted;

	/* Once the removal is wanted, nothing but this work changes the state. */
	mutex_lock(&vd->lock);
	wanted = vd->remove_wanted;
	if (vd->state == VLOOP_STATE_LIVE && wanted)
		vd->state = VLOOP_STATE_REMOVING;
	state = vd->state;
	mutex_unlock(&vd->lock);

	switch (state) {
	case VLOOP_STATE_CREATED:
		if (wanted)
			set_gone(vd);
		return wanted;
	case VLOOP_STATE_STARTING:
		start(vd);
		return true;
	case VLOOP_STATE_REMOVING:
		unregister_virtio_device(&vd->vdev);
		set_gone(vd);
		return true;
	case VLOOP_STATE_LIVE:
	case VLOOP_STATE_GONE:
		break;
	}
	return false;
}

static void control_work(struct work_struct *work)
{
	struct vloop_device *vd = container_of(work, struct vloop_device,
					       control);

	while (control_step(vd))
		;
	put_device(&vd->dev);
}

/* With vd->lock. */
void vloop_device_want_remove(struct vloop_device *vd)
{
	lockdep_assert_held(&vd->lock);
	vd->remove_wanted = true;
	/* Nobody can take over any more. */
	wake_up_interruptible_all(&vd->attachers);
	control_kick(vd);
}

long vloop_device_start(struct vloop_session *session)
{
	struct vloop_device *vd = session->device;
	long err = 0;

	mutex_lock(&vd->lock);
	if (session->over)
		err = -ENODEV;
	else if (vd->state != VLOOP_STATE_CREATED || vd->remove_wanted)
		err = -EBUSY;
	else
		vd->state = VLOOP_STATE_STARTING;
	mutex_unlock(&vd->lock);
	if (!err)
		control_kick(vd);
	return err;
}

long vloop_device_remove(struct vloop_session *session)
{
	struct vloop_device *vd = session->device;
	long err = 0;

	mutex_lock(&vd->lock);
	if (session->over)
		err = -ENODEV;
	else
		vloop_device_want_remove(vd);
	mutex_unlock(&vd->lock);
	return err;
}

/*
 * Whoever puts a device last need not hold the module: a completion is not touched
 * any more when the waiter goes on.
 */
static void forget_device(void)
{
	if (atomic_dec_and_test(&vloop_devices))
		complete(&vloop_devices_none);
}

static void release_device(struct device *dev)
{
	struct vloop_device *vd = container_of(dev, struct vloop_device, dev);
	unsigned int i;

	if (vd->wq)
		destroy_workqueue(vd->wq);
	for (i = 0; i < vd->num_queues; i++)
		vloop_queue_destroy(&vd->queues[i]);
	vloop_files_empty(vd);
	vloop_config_destroy(vd);
	kfree(vd->description);
	vloop_id_free(vd->id);
	vloop_uncharge(vd);
	kvfree(vd);
	forget_device();
}

static int check_create(const struct vloop_create *arg)
{
	if (!arg->num_queues || arg->num_queues > VLOOP_QUEUES_MAX ||
	    arg->on_exit > VLOOP_EXIT_FAIL_FAST ||
	    arg->grace_ms > VLOOP_GRACE_MS_MAX ||
	    arg->description_len > VLOOP_DESCRIPTION_MAX ||
	    arg->num_pages > VLOOP_PAGES_MAX ||
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

/* Text that may be shown on a terminal and in one line. */
static int init_description(struct vloop_device *vd,
			    const struct vloop_create *arg)
{
	char *text;
	u32 i;

	if (!arg->description_len)
		return 0;
	text = memdup_user_nul(u64_to_user_ptr(arg->description),
			       arg->description_len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	vd->description = text;
	for (i = 0; i < arg->description_len; i++)
		if (iscntrl(text[i]))
			return -EINVAL;
	return 0;
}

/* A device that release_device() can free, whatever came after. */
static struct vloop_device *alloc_device(const struct vloop_create *arg)
{
	struct vloop_device *vd;
	int id;

	id = vloop_id_alloc();
	if (id < 0)
		return ERR_PTR(id);
	vd = kvzalloc(struct_size(vd, queues, arg->num_queues),
		      GFP_KERNEL_ACCOUNT);
	if (!vd) {
		vloop_id_free(id);
		return ERR_PTR(-ENOMEM);
	}
	vd->id = id;
	vd->num_queues = arg->num_queues;
	vd->device_id = arg->device_id;
	vd->vdev.id.vendor = arg->vendor_id;
	vd->features = (arg->features & ~TRANSPORT_FEATURE_BITS) |
		       (arg->features & VLOOP_TRANSPORT_FEATURES) |
		       BIT_ULL(VIRTIO_F_VERSION_1);
	vd->window = arg->flags & VLOOP_CREATE_WINDOW;
	vd->on_exit = arg->on_exit;
	vd->grace_ms = arg->grace_ms ?: VLOOP_GRACE_MS_DEFAULT;
	mutex_init(&vd->lock);
	mutex_init(&vd->config.lock);
	INIT_LIST_HEAD(&vd->below);
	INIT_WORK(&vd->control, control_work);
	vloop_announce_init(vd);
	vloop_device_init_sessions(vd);
	atomic_inc(&vloop_devices);
	device_initialize(&vd->dev);
	vd->dev.class = &vloop_class;
	vd->dev.release = release_device;
	return vd;
}

/* Without its queues; with the thread that its work queue keeps in reserve. */
static size_t device_memory(const struct vloop_create *arg)
{
	return struct_size((struct vloop_device *)NULL, queues,
			   arg->num_queues) + THREAD_SIZE + arg->config_len +
	       arg->description_len +
	       arg->num_pages * sizeof(struct vloop_config_page);
}

static int init_device(struct vloop_device *vd, const struct vloop_create *arg)
{
	int err;

	err = vloop_charge(vd, device_memory(arg));
	if (err)
		return err;
	err = dev_set_name(&vd->dev, "vloop%d", vd->id);
	if (err)
		return err;
	vd->wq = alloc_workqueue("vloop%d", WQ_MEM_RECLAIM | WQ_UNBOUND, 0,
				 vd->id);
	if (!vd->wq)
		return -ENOMEM;
	err = init_queues(vd, arg);
	if (!err)
		err = vloop_config_init(vd, arg);
	if (!err)
		err = init_description(vd, arg);
	if (!err)
		err = vloop_check_class(vd);
	return err;
}

/* From here on its sessions own the device, and GONE is the only way out. */
static int publish(struct vloop_session *session, const void *unused)
{
	struct vloop_device *vd = session->device;
	int err;

	err = device_add(&vd->dev);
	if (err)
		return err;
	/* Until GONE, however the descriptors come and go. */
	__module_get(THIS_MODULE);
	mutex_lock(&vd->lock);
	vloop_session_begin(session);
	/* Before the session can end and take the number back. */
	vloop_id_publish(vd);
	mutex_unlock(&vd->lock);
	return 0;
}

/* Returns the new device's descriptor. */
int vloop_device_create(const struct vloop_create *arg,
			struct vloop_create __user *user, struct file *control)
{
	struct vloop_device *vd;
	int ret;

	ret = check_create(arg);
	if (ret)
		return ret;
	if (arg->flags & VLOOP_CREATE_WINDOW && !vloop_window_is_allowed(control))
		return -EPERM;
	vd = alloc_device(arg);
	if (IS_ERR(vd))
		return PTR_ERR(vd);
	/* As of whoever opened /dev/vloop, and not of whoever it was passed to. */
	vd->owner = control->f_cred->euid;
	vloop_charge_init(vd, control);
	ret = init_device(vd, arg);
	if (!ret)
		ret = put_user(vd->id, &user->id);
	if (!ret)
		ret = vloop_session_open(vd, publish, NULL);
	/* The session holds the device now. */
	put_device(&vd->dev);
	return ret;
}

int vloop_devices_init(void)
{
	int err = -ENOMEM;

	vloop_control_wq = alloc_workqueue("vloop-control", WQ_UNBOUND, 0);
	/* Its works never wait for a driver, a file or memory. */
	vloop_recovery_wq = alloc_workqueue("vloop-recovery",
					    WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (vloop_control_wq && vloop_recovery_wq)
		err = class_register(&vloop_class);
	if (!err)
		return 0;
	if (vloop_recovery_wq)
		destroy_workqueue(vloop_recovery_wq);
	if (vloop_control_wq)
		destroy_workqueue(vloop_control_wq);
	return err;
}

/*
 * Each device holds the module until it is GONE, each descriptor until it is
 * closed; what may be left is a worker that is about to drop the last reference.
 */
void vloop_devices_exit(void)
{
	forget_device();
	wait_for_completion(&vloop_devices_none);
	destroy_workqueue(vloop_control_wq);
	destroy_workqueue(vloop_recovery_wq);
	class_unregister(&vloop_class);
}
