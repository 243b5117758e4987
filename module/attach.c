// SPDX-License-Identifier: GPL-2.0
/* How a device gets another server, or its end: ATTACH, DETACH, STOP. */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/jiffies.h>
#include <linux/user_namespace.h>

#include "vloop.h"

/*
 * Whether whoever opened @control may decide over @vd.  The opener counts, as
 * for the owner: a descriptor that was passed on carries its opener's rights.
 */
static bool may_decide(struct file *control, const struct vloop_device *vd)
{
	return uid_eq(control->f_cred->euid, vd->owner) ||
	       file_ns_capable(control, &init_user_ns, CAP_SYS_ADMIN);
}

/* The device with number @id and a reference to it. */
static struct vloop_device *find_device(struct file *control, u32 id)
{
	struct vloop_device *vd = vloop_device_find(id);

	if (!vd)
		return ERR_PTR(-ENODEV);
	if (!may_decide(control, vd)) {
		put_device(&vd->dev);
		return ERR_PTR(-EPERM);
	}
	return vd;
}

/* With vd->lock. */
static int try_attach(struct vloop_session *session)
{
	struct vloop_device *vd = session->device;

	/* Nobody may have noticed its death yet. */
	if (vloop_server(vd))
		vloop_session_end_if_dead(vloop_server(vd));
	if (vd->remove_wanted || vd->state == VLOOP_STATE_REMOVING ||
	    vd->state == VLOOP_STATE_GONE)
		return -ENODEV;
	if (vloop_server(vd))
		return -EBUSY;
	/* Tells the new server what the driver has said already. */
	set_bit(VLOOP_EVENT_STATUS, &session->events);
	vd->recoveries++;
	vloop_session_begin(session);
	return 0;
}

/*
 * Ask the server to hand over.  Returns its session, with a reference, or NULL
 * if it can't do so yet.  With vd->lock.
 */
static struct vloop_session *ask_server(struct vloop_device *vd)
{
	struct vloop_session *session = vloop_server(vd);

	if (vd->state == VLOOP_STATE_CREATED)
		return NULL;
	vloop_session_get(session);
	session->attachers++;
	vloop_session_event(session, VLOOP_EVENT_HAND_OVER);
	return session;
}

/*
 * It must not give the device up later, when nobody waits.  Whoever polled and is
 * about to read finds another event.  With vd->lock.
 */
static void stop_asking(struct vloop_session *session)
{
	if (!--session->attachers &&
	    test_and_clear_bit(VLOOP_EVENT_HAND_OVER, &session->events))
		vloop_session_event(session, VLOOP_EVENT_STATUS);
}

static int take_over(struct vloop_session *session, unsigned long timeout)
{
	struct vloop_device *vd = session->device;
	struct vloop_session *old = NULL;
	long left;
	int err;

	mutex_lock(&vd->lock);
	err = try_attach(session);
	if (err == -EBUSY)
		old = ask_server(vd);
	mutex_unlock(&vd->lock);
	if (!old)
		return err;

	left = wait_event_interruptible_timeout(vd->attachers,
						READ_ONCE(old->over) ||
						READ_ONCE(vd->remove_wanted),
						timeout);
	mutex_lock(&vd->lock);
	stop_asking(old);
	err = try_attach(session);
	if (err == -EBUSY && !old->over)
		err = left < 0 ? -EINTR : -ETIMEDOUT;
	mutex_unlock(&vd->lock);
	vloop_session_put(old);
	return err;
}

static int attach(struct vloop_session *session, const void *argument)
{
	const struct vloop_attach *arg = argument;
	struct vloop_device *vd = session->device;
	int err;

	if (arg->flags & VLOOP_ATTACH_TAKE_OVER)
		return take_over(session, msecs_to_jiffies(arg->timeout_ms));
	mutex_lock(&vd->lock);
	err = try_attach(session);
	mutex_unlock(&vd->lock);
	return err;
}

static int check_attach(const struct vloop_attach *arg)
{
	if (arg->flags & ~VLOOP_ATTACH_TAKE_OVER)
		return -EINVAL;
	if (arg->flags & VLOOP_ATTACH_TAKE_OVER)
		return arg->timeout_ms && arg->timeout_ms <= VLOOP_WAIT_MS_MAX ?
		       0 : -EINVAL;
	return arg->timeout_ms ? -EINVAL : 0;
}

long vloop_attach(struct file *control, const struct vloop_attach *arg)
{
	struct vloop_device *vd;
	long ret;

	ret = check_attach(arg);
	if (ret)
		return ret;
	vd = find_device(control, arg->id);
	if (IS_ERR(vd))
		return PTR_ERR(vd);
	if (vd->on_exit == VLOOP_EXIT_FAIL)
		ret = -EINVAL;
	else if (vd->window && !vloop_window_is_allowed(control))
		ret = -EPERM;
	else
		ret = vloop_session_open(vd, attach, arg);
	put_device(&vd->dev);
	return ret;
}

long vloop_detach(struct vloop_session *session)
{
	struct vloop_device *vd = session->device;
	long err = 0;

	mutex_lock(&vd->lock);
	if (session->over)
		err = -ENODEV;
	else if (vd->on_exit == VLOOP_EXIT_FAIL)
		err = -EINVAL;
	else if (vd->remove_wanted || (vd->state != VLOOP_STATE_STARTING &&
				       vd->state != VLOOP_STATE_LIVE))
		err = -EBUSY;
	else
		vloop_session_end(session, VLOOP_END_DETACH);
	mutex_unlock(&vd->lock);
	return err;
}

/* With vd->lock. */
static int stop_device(struct vloop_device *vd, bool force)
{
	struct vloop_session *session = vloop_server(vd);

	if (vd->state == VLOOP_STATE_GONE)
		return -ENODEV;
	if (session && force)
		vloop_session_end(session, VLOOP_END_FORCE);
	else if (session)
		vloop_session_end_if_dead(session);
	session = vloop_server(vd);
	if (session) {
		if (!vd->remove_wanted)
			vloop_session_event(session, VLOOP_EVENT_STOP);
	} else {
		vloop_device_fail(vd);
		vloop_device_want_remove(vd);
	}
	return 0;
}

long vloop_stop(struct file *control, const struct vloop_stop *arg)
{
	struct vloop_device *vd;
	int err;

	if (arg->flags & ~VLOOP_STOP_FORCE)
		return -EINVAL;
	vd = find_device(control, arg->id);
	if (IS_ERR(vd))
		return PTR_ERR(vd);
	mutex_lock(&vd->lock);
	err = stop_device(vd, arg->flags & VLOOP_STOP_FORCE);
	mutex_unlock(&vd->lock);
	put_device(&vd->dev);
	return err;
}
