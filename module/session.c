// SPDX-License-Identifier: GPL-2.0
/*
 * Who serves a device, and what becomes of its requests when nobody does.
 *
 *                    VLOOP_ATTACH
 *        +----------------------------------+
 *        v                                  |
 *     SERVED --- session ends: QUEUE, --> DESERTED
 *      |  ^      REISSUE, or DETACH         | grace period over, VLOOP_STOP
 *      |  |                                 v
 *      |  +---------- VLOOP_ATTACH ------ FAILING
 *      +------- session ends otherwise -----^
 *
 * A session is current while vd->session points to it, which is exactly while
 * the device is SERVED.  It ends by the death of its process, the last close of
 * its device descriptor, VLOOP_DETACH, or VLOOP_STOP with FORCE, whichever comes
 * first.  After that its descriptors are void: whoever still holds them, a forked
 * child or an io_uring, reads the end of file and gets ENODEV.
 *
 * The end of a server may be needed to free memory, so nothing here allocates,
 * and nothing waits but for vd->lock.
 */
#include <linux/jiffies.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "trace.h"
#include "vloop.h"

#define VLOOP_WATCH_INTERVAL	HZ

struct workqueue_struct *vloop_recovery_wq;

/* A work item holds the device while it is queued or runs. */
static void arm(struct vloop_device *vd, struct delayed_work *work,
		unsigned long delay)
{
	get_device(&vd->dev);
	if (!queue_delayed_work(vloop_recovery_wq, work, delay))
		put_device(&vd->dev);
}

/* One that runs already finds out by itself that it came for nothing. */
static void disarm(struct vloop_device *vd, struct delayed_work *work)
{
	if (cancel_delayed_work(work))
		put_device(&vd->dev);
}

struct vloop_session *vloop_session_new(struct vloop_device *vd)
{
	struct vloop_session *session;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return NULL;
	get_device(&vd->dev);
	session->device = vd;
	refcount_set(&session->users, 1);
	session->server = get_pid(task_tgid(current));
	init_waitqueue_head(&session->readers);
	return session;
}

void vloop_session_get(struct vloop_session *session)
{
	refcount_inc(&session->users);
}

void vloop_session_put(struct vloop_session *session)
{
	struct vloop_device *vd = session->device;

	if (!refcount_dec_and_test(&session->users))
		return;
	put_pid(session->server);
	/* vloop_device_event() may still look at it. */
	kfree_rcu(session, rcu);
	put_device(&vd->dev);
}

void vloop_session_event(struct vloop_session *session, enum vloop_event event)
{
	struct vloop_device *vd = session->device;

	trace_vloop_event(vd, -1, event, READ_ONCE(vd->status),
			  READ_ONCE(vd->vdev.features));
	set_bit(event, &session->events);
	wake_up_interruptible_poll(&session->readers, EPOLLIN);
}

/* Tell whoever serves; a later server is told by how it finds the device. */
void vloop_device_event(struct vloop_device *vd, enum vloop_event event)
{
	struct vloop_session *session;

	rcu_read_lock();
	session = rcu_dereference(vd->session);
	if (session)
		vloop_session_event(session, event);
	rcu_read_unlock();
}

/* In the caller's eyes, 0 if nobody serves.  With vd->lock. */
pid_t vloop_server_pid(struct vloop_device *vd)
{
	struct vloop_session *session = vloop_server(vd);

	return session ? pid_vnr(session->server) : 0;
}

/* With vd->lock. */
static void set_service(struct vloop_device *vd, enum vloop_service service)
{
	if (vd->service == service)
		return;
	WRITE_ONCE(vd->service, service);
	vloop_announce(vd);
}

/* From now on the module answers, until a server attaches.  With vd->lock. */
void vloop_device_fail(struct vloop_device *vd)
{
	unsigned int i;

	set_service(vd, VLOOP_SERVICE_FAILING);
	disarm(vd, &vd->grace);
	/*
	 * Orders the service before the reapers' look at the available rings:
	 * either they see a new request, or vloop_notify() sees the service.
	 */
	smp_mb();
	for (i = 0; i < vd->num_queues; i++)
		vloop_queue_reap(&vd->queues[i]);
}

/* Requests wait for the next server, but not for ever.  With vd->lock. */
static void wait_for_server(struct vloop_device *vd)
{
	unsigned long grace = msecs_to_jiffies(vd->grace_ms);

	set_service(vd, VLOOP_SERVICE_DESERTED);
	vd->grace_end = jiffies + grace;
	arm(vd, &vd->grace, grace);
}

static void grace_work(struct work_struct *work)
{
	struct vloop_device *vd = container_of(to_delayed_work(work),
					       struct vloop_device, grace);
	unsigned long now;

	mutex_lock(&vd->lock);
	now = jiffies;
	if (vd->service == VLOOP_SERVICE_DESERTED) {
		/* Its server may have come and gone while we waited for the lock. */
		if (time_before(now, vd->grace_end)) {
			arm(vd, &vd->grace, vd->grace_end - now);
		} else {
			dev_warn(&vd->dev,
				 "no server came within %u ms: requests fail from now on\n",
				 vd->grace_ms);
			vloop_device_fail(vd);
		}
	}
	mutex_unlock(&vd->lock);
	put_device(&vd->dev);
}

/* Give @session the device.  With vd->lock; there is no current session. */
void vloop_session_begin(struct vloop_session *session)
{
	struct vloop_device *vd = session->device;

	lockdep_assert_held(&vd->lock);
	disarm(vd, &vd->grace);
	/*
	 * Before its first queue descriptor: whoever answers dead requests looks
	 * at the service under the same queue->lock that fetching takes.
	 */
	set_service(vd, VLOOP_SERVICE_SERVED);
	/* Publishes an initialised session to vloop_device_event(). */
	rcu_assign_pointer(vd->session, session);
	arm(vd, &vd->watch, VLOOP_WATCH_INTERVAL);
}

static bool can_go_on(const struct vloop_device *vd)
{
	return vd->on_exit != VLOOP_EXIT_FAIL && !vd->remove_wanted &&
	       (vd->state == VLOOP_STATE_STARTING ||
		vd->state == VLOOP_STATE_LIVE);
}

/* Who answers next.  A server that detaches says that another will come. */
static enum vloop_service next_service(const struct vloop_device *vd,
				       enum vloop_session_end how)
{
	if (how == VLOOP_END_FORCE || !can_go_on(vd))
		return VLOOP_SERVICE_FAILING;
	if (how == VLOOP_END_DEATH && vd->on_exit == VLOOP_EXIT_FAIL_FAST)
		return VLOOP_SERVICE_FAILING;
	return VLOOP_SERVICE_DESERTED;
}

/* With vd->lock.  Does nothing if @session is not the current one. */
void vloop_session_end(struct vloop_session *session,
		       enum vloop_session_end how)
{
	struct vloop_device *vd = session->device;
	enum vloop_service next;
	bool answer, stays;
	unsigned int i;

	lockdep_assert_held(&vd->lock);
	if (vloop_server(vd) != session)
		return;

	stays = how != VLOOP_END_FORCE && can_go_on(vd);
	next = next_service(vd, how);
	answer = next == VLOOP_SERVICE_FAILING ||
		 (how == VLOOP_END_DEATH && vd->on_exit == VLOOP_EXIT_QUEUE);

	/*
	 * Before the queues are taken away: a queue descriptor that is opened
	 * meanwhile sees this under queue->lock, or is found there.
	 */
	WRITE_ONCE(session->over, true);
	RCU_INIT_POINTER(vd->session, NULL);
	disarm(vd, &vd->watch);
	for (i = 0; i < vd->num_queues; i++)
		vloop_queue_abandon(&vd->queues[i], answer);

	if (next == VLOOP_SERVICE_FAILING)
		vloop_device_fail(vd);
	else
		wait_for_server(vd);
	if (!stays)
		vloop_device_want_remove(vd);
	wake_up_interruptible_all(&session->readers);
	wake_up_interruptible_all(&vd->attachers);
}

static bool server_is_dead(const struct vloop_session *session)
{
	struct task_struct *server;
	bool dead;

	rcu_read_lock();
	server = pid_task(session->server, PIDTYPE_TGID);
	dead = !server || READ_ONCE(server->signal->flags) & SIGNAL_GROUP_EXIT ||
	       !atomic_read(&server->signal->live);
	rcu_read_unlock();
	return dead;
}

/* With vd->lock. */
void vloop_session_end_if_dead(struct vloop_session *session)
{
	if (server_is_dead(session))
		vloop_session_end(session, VLOOP_END_DEATH);
}

/*
 * Called wherever the server's end may show first.  ->flush runs for each close
 * of each duplicate, in forked children too: only the server's own end counts,
 * and it counts even while a child or an io_uring keeps a descriptor open.
 */
void vloop_check_server(struct vloop_session *session)
{
	struct vloop_device *vd = session->device;

	if (READ_ONCE(session->over) || !server_is_dead(session))
		return;
	mutex_lock(&vd->lock);
	vloop_session_end(session, VLOOP_END_DEATH);
	mutex_unlock(&vd->lock);
}

/*
 * A killed server with a thread that waits for its own disk closes nothing: the
 * thread would have to end first.  So look at it now and then.
 */
static void watch_work(struct work_struct *work)
{
	struct vloop_device *vd = container_of(to_delayed_work(work),
					       struct vloop_device, watch);
	struct vloop_session *session;

	mutex_lock(&vd->lock);
	session = vloop_server(vd);
	if (session)
		vloop_session_end_if_dead(session);
	if (vloop_server(vd))
		arm(vd, &vd->watch, VLOOP_WATCH_INTERVAL);
	mutex_unlock(&vd->lock);
	put_device(&vd->dev);
}

void vloop_device_init_sessions(struct vloop_device *vd)
{
	INIT_DELAYED_WORK(&vd->grace, grace_work);
	INIT_DELAYED_WORK(&vd->watch, watch_work);
	init_waitqueue_head(&vd->attachers);
}
