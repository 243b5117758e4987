/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who owns what
 *
 *   struct vloop_device	refcounted by @dev; held by each session, the
 *				works while they are queued or run, and the
 *				registered virtio device.
 *   struct vloop_session	one process's time as the server of a device;
 *				refcounted, held by its device descriptor and its
 *				queue descriptors.  The device points to the
 *				current one, without a reference: a session ends
 *				before its device descriptor is freed.
 *   struct vloop_queue		part of its device.  Its ring memory lives as long
 *				as the device; the virtqueue on top comes and goes
 *				with the driver (find_vqs, del_vqs).
 *   struct vloop_queue_file	the queue descriptor's; the queue points to the
 *				one that may fetch and operate, and every other is
 *				void.
 *   struct vloop_slot		one per descriptor head.  FREE: the driver's.
 *				FETCHED: the process's.  BUSY: whoever runs the
 *				operation; nobody else touches it.
 *
 * Locks, outermost first
 *
 *   vloop_device.lock (mutex)	life cycle flags, which session is current, who
 *				serves, file table writers.  No memory is allocated
 *				and nobody is waited for under it: the end of a
 *				server needs it, and reclaim may need that end.
 *				The driver's config_changed() is called under it.
 *   vloop_window.lock (rwsem)	whether pages may be put into the window: shared by
 *				its page faults, which hold their mmap_lock; held
 *				exclusively, for no longer than a moment, to see
 *				them all out.  No memory is waited for under it.
 *   vloop_queue.lock (irq)	slot states, both ring indices, record lists,
 *				statistics, @users, which descriptor is the current
 *
 * A queue's @users counts those who may touch its virtqueue: running operations
 * and whoever calls the driver.  Reset makes the queue not ready, so that no user can
 * come, and waits until the last has gone.
 */
#ifndef VLOOP_H
#define VLOOP_H

#include <linux/bvec.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/kfifo.h>
#include <linux/mempool.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/virtio.h>
#include <linux/virtio_ring.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/vloop.h>

#include "compat.h"

#define VLOOP_INLINE_BVECS	4
#define VLOOP_ERRORS_KEPT	16

struct vloop_device;
struct vloop_queue;
struct vloop_queue_file;

/* An entry of the file table; operations hold a reference while they run. */
struct vloop_file {
	refcount_t users;
	struct file *file;
	struct rcu_head rcu;
};

enum vloop_slot_state {
	VLOOP_SLOT_FREE,
	VLOOP_SLOT_FETCHED,
	VLOOP_SLOT_BUSY,
};

/* Who gets a request whose operation ends without completing it. */
enum vloop_heir {
	VLOOP_HEIR_SUBMITTER,	/* its descriptor is still the current one */
	VLOOP_HEIR_NEXT,	/* that one is void: whoever reads next */
	VLOOP_HEIR_DRIVER,	/* the same, but the death policy answers it */
};

/*
 * Who finishes an operation whose I/O may complete at any time: the completion
 * that comes while the issuer is still in read_iter leaves it to the issuer.
 */
enum vloop_issue_state {
	VLOOP_ISSUING,
	VLOOP_ISSUED,
	VLOOP_ENDED_EARLY,
};

struct vloop_slot {
	struct vloop_queue *queue;
	enum vloop_slot_state state;
	u16 head;
	u16 readable_descs;
	u16 writable_descs;
	bool redeliver;		/* on queue->redeliver */
	bool again;		/* an earlier descriptor had it */
	bool done_unread;	/* on queue->done */
	bool copying_out;	/* to process memory, which may wait */
	bool sync_failed;	/* and the file tells that once */
	enum vloop_heir heir;	/* while BUSY */
	u32 seq;
	u32 readable;
	u32 writable;
	u32 filled;		/* writable bytes filled from the front */
	u16 window_pages;	/* of its slice; 0: it is not in the window */
	bool in_window;		/* some of them may be mapped */
	bool dummy_in_window;	/* in their place, perhaps, the dummy page */
	u64 fetched_at;
	struct list_head redeliver_node;
	struct list_head done_node;
	u32 done_seq;
	u64 done_user_data;
	s64 done_result;

	/* The operation under way; owned by whoever runs it. */
	struct vloop_op op;
	struct vloop_file *file;
	const struct cred *submitter;	/* if it uses the file */
	u32 moved;
	bool through_cache;	/* direct I/O refused these segments */
	atomic_t issue;
	long issue_result;
	struct kiocb iocb;
	struct iov_iter iter;
	struct bio_vec *bvec;
	struct bio_vec bvec_inline[VLOOP_INLINE_BVECS];
	struct work_struct work;
};

struct vloop_error {
	u16 head;
	u8 verb;
	u32 seq;
	int error;
};

struct vloop_queue {
	struct vloop_device *device;
	unsigned int index;
	unsigned int size;
	u8 death_policy;
	u8 death_status;

	/* Ring memory: descriptors end at a page, the other two start one. */
	void *memory;
	size_t memory_size;
	void *ring_start;
	struct vring vring;
	struct vloop_queue_stats *stats;	/* a page of its own */
	struct vloop_window *window;		/* NULL: the device has none */

	spinlock_t lock;	/* most of what follows; see the top */
	struct vloop_queue_file *opened;	/* the current one, or NULL */
	bool ready;
	bool failed;		/* the driver's ring made no sense */
	bool announce;		/* QUEUE_READY not yet read */
	bool announce_failed;	/* QUEUE_ERROR not yet read */
	bool event_idx;
	bool debt;		/* pushed since the last interrupt */
	u16 last_avail;
	u16 used_idx;
	u16 signalled_used;
	bool signalled_valid;
	u32 setups;
	unsigned int users;
	wait_queue_head_t idle;		/* users reached zero */
	wait_queue_head_t readers;	/* read() and poll() */
	struct list_head done;
	struct list_head redeliver;
	DECLARE_KFIFO(errors, struct vloop_error, VLOOP_ERRORS_KEPT);
	struct virtqueue *vq;
	struct vloop_slot *slots;
	mempool_t bvecs;
	struct work_struct reap;
	struct irq_work late_signal;
};

/* What a queue descriptor stands for. */
struct vloop_queue_file {
	struct vloop_queue *queue;
	struct vloop_session *session;
	bool nowait;		/* read() never waits */
};

struct vloop_session {
	struct vloop_device *device;
	refcount_t users;
	struct pid *server;		/* thread group */
	bool over;			/* for good; read without the lock */
	unsigned int attachers;		/* who wait for it to be over */
	unsigned long events;		/* bit per enum vloop_event not yet read */
	wait_queue_head_t readers;
	struct rcu_head rcu;
};

/* How a session came to its end. */
enum vloop_session_end {
	VLOOP_END_DEATH,	/* of its process, or the last close */
	VLOOP_END_DETACH,
	VLOOP_END_FORCE,
};

/* Plain bytes, or pages: never both. */
struct vloop_config_space {
	struct mutex lock;		/* all of it; see config.c */
	void *data;
	u32 length;
	u32 generation;
	bool untold;			/* to the driver; with vloop_device.lock */
	struct vloop_config_page *pages;
	unsigned int num_pages;
	struct vloop_config_page selected;
};

struct vloop_device {
	struct device dev;
	int id;
	struct virtio_device vdev;
	u32 device_id;
	u64 features;
	struct vloop_config_space config;
	u8 status;			/* driver writes, anybody reads */

	struct mutex lock;	/* most of what follows; see the top */
	enum vloop_state state;
	bool remove_wanted;
	int start_error;
	struct work_struct control;
	struct work_struct announce;
	struct workqueue_struct *wq;	/* operations that would block */

	bool window;			/* as created */
	enum vloop_exit_policy on_exit;
	u32 grace_ms;
	kuid_t owner;			/* who may attach and stop */
	char *description;
	enum vloop_service service;	/* read without the lock */
	struct vloop_session __rcu *session;	/* only while SERVED */
	u32 recoveries;
	unsigned long grace_end;	/* jiffies; while DESERTED */
	struct delayed_work grace;
	struct delayed_work watch;	/* for the server's death */
	wait_queue_head_t attachers;

	const struct cred *charged;		/* NULL: there is no limit */
	unsigned long charged_pages;

	struct vloop_file __rcu *files[VLOOP_FILES_MAX];
	struct list_head below;		/* on file_table.c's list, while it looks */
	unsigned int num_queues;
	struct vloop_queue queues[] __counted_by(num_queues);
};

#define VLOOP_TRANSPORT_FEATURES \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX))

static inline struct vloop_device *vdev_to_vloop(struct virtio_device *vdev)
{
	return container_of(vdev, struct vloop_device, vdev);
}

/* device.c: a device's life */
extern struct workqueue_struct *vloop_control_wq;
int vloop_device_create(const struct vloop_create *arg,
			struct vloop_create __user *user, struct file *control);
void vloop_device_want_remove(struct vloop_device *vd);
long vloop_device_start(struct vloop_session *session);
long vloop_device_remove(struct vloop_session *session);
int vloop_devices_init(void);
void vloop_devices_exit(void);

/* device_file.c: the device descriptor */
int vloop_session_open(struct vloop_device *vd,
		       int (*begin)(struct vloop_session *session,
				    const void *arg),
		       const void *arg);

/* sysfs.c: what anybody may know of a device */
extern struct class vloop_class;
void vloop_announce_init(struct vloop_device *vd);
void vloop_announce(struct vloop_device *vd);
void vloop_announce_end(struct vloop_device *vd);

/* registry.c: devices by their number */
int vloop_id_alloc(void);
void vloop_id_free(int id);
void vloop_id_publish(struct vloop_device *vd);
void vloop_id_withdraw(struct vloop_device *vd);
struct vloop_device *vloop_device_find(u32 id);
struct vloop_device *vloop_device_next(int *id);

/* session.c: who serves a device, and what becomes of it when nobody does */
extern struct workqueue_struct *vloop_recovery_wq;
void vloop_device_init_sessions(struct vloop_device *vd);
struct vloop_session *vloop_session_new(struct vloop_device *vd);
void vloop_session_get(struct vloop_session *session);
void vloop_session_put(struct vloop_session *session);
void vloop_session_begin(struct vloop_session *session);
void vloop_session_end(struct vloop_session *session,
		       enum vloop_session_end how);
void vloop_session_end_if_dead(struct vloop_session *session);
void vloop_session_event(struct vloop_session *session, enum vloop_event event);
void vloop_check_server(struct vloop_session *session);
void vloop_device_event(struct vloop_device *vd, enum vloop_event event);
void vloop_device_fail(struct vloop_device *vd);
pid_t vloop_server_pid(struct vloop_device *vd);

/* Who serves, or NULL.  With vd->lock. */
static inline struct vloop_session *vloop_server(struct vloop_device *vd)
{
	return rcu_dereference_protected(vd->session,
					 lockdep_is_held(&vd->lock));
}

/* Whether the module answers requests, by each queue's death policy. */
static inline bool vloop_failing(const struct vloop_device *vd)
{
	return READ_ONCE(vd->service) == VLOOP_SERVICE_FAILING;
}

/* attach.c: calls on /dev/vloop that name a device, and DETACH */
long vloop_attach(struct file *control, const struct vloop_attach *arg);
long vloop_stop(struct file *control, const struct vloop_stop *arg);
long vloop_detach(struct vloop_session *session);

/* transport.c: what the virtio core and its drivers call */
extern const struct virtio_config_ops vloop_config_ops;

/* ring.c: the device's half of the split ring */
int vloop_queue_init(struct vloop_device *vd, unsigned int index,
		     const struct vloop_queue_config *config);
void vloop_queue_destroy(struct vloop_queue *queue);
void vloop_queue_setup(struct vloop_queue *queue, struct virtqueue *vq);
void vloop_queue_quiesce(struct vloop_queue *queue);
int vloop_queue_open(struct vloop_queue_file *qf);
void vloop_queue_close(struct vloop_queue_file *qf);
void vloop_queue_abandon(struct vloop_queue *queue, bool answer);
unsigned int vloop_queue_fetch(struct vloop_queue_file *qf,
			       struct vloop_record *records, unsigned int max);
void vloop_queue_unfetch(struct vloop_queue_file *qf,
			 const struct vloop_record *records, unsigned int n);
bool vloop_queue_enable_kicks(struct vloop_queue_file *qf);
void vloop_queue_push(struct vloop_slot *slot, u32 length);
void vloop_queue_signal(struct vloop_queue *queue);
void vloop_queue_signal_any_context(struct vloop_queue *queue);
void vloop_slot_redeliver(struct vloop_slot *slot);
void vloop_slot_inherit(struct vloop_slot *slot, bool answer);
void vloop_queue_put(struct vloop_queue *queue);
void vloop_queue_put_locked(struct vloop_queue *queue);
void vloop_queue_reap(struct vloop_queue *queue);
u32 vloop_slot_copy(const struct vloop_slot *slot, bool writable, u32 skip,
		    void *buffer, u32 length);
unsigned int vloop_slot_bvecs(const struct vloop_slot *slot, bool writable,
			      u32 skip, u32 length, struct bio_vec *bvecs);

/* operation.c: the mover */
int vloop_op_submit(struct vloop_queue_file *qf, const struct vloop_op *op);
void vloop_op_work(struct work_struct *work);

/* window.c: requests' memory in the server's */
bool vloop_window_is_allowed(struct file *control);
int vloop_window_init(struct vloop_queue *queue);
void vloop_window_destroy(struct vloop_queue *queue);
void vloop_window_adopt(struct file *file, struct vloop_queue *queue);
void vloop_window_forsake(struct file *file);
int vloop_window_mmap(struct vloop_queue *queue, struct vm_area_struct *vma);
void vloop_window_describe(struct vloop_slot *slot);
void vloop_window_make_fresh(struct vloop_queue *queue,
			     const struct vloop_record *records,
			     unsigned int n);
void vloop_window_let_go(struct vloop_slot *slot);
void vloop_window_cut(struct vloop_queue *queue);

/* file_table.c: the backing files */
struct vloop_file *vloop_file_get(struct vloop_device *vd, u16 index);
void vloop_file_put(struct vloop_file *vf);
long vloop_set_file(struct vloop_session *session, void __user *user);
void vloop_files_empty(struct vloop_device *vd);

/* queue_file.c: the queue descriptor */
long vloop_queue_fd(struct vloop_session *session,
		    struct vloop_queue_fd __user *user);

/* Whether another descriptor, or none, has the queue now. */
static inline bool vloop_queue_file_is_void(const struct vloop_queue_file *qf)
{
	return READ_ONCE(qf->queue->opened) != qf;
}

/* class.c: what each type of device may say of itself */
int vloop_check_class(const struct vloop_device *vd);
int vloop_check_config(const struct vloop_device *vd, const void *data);
bool vloop_class_accepts_answer(const struct vloop_slot *slot, u32 length);

/* charge.c: what a device keeps in memory */
void vloop_charge_init(struct vloop_device *vd, struct file *control);
int vloop_charge(struct vloop_device *vd, size_t bytes);
void vloop_uncharge(struct vloop_device *vd);

/* config.c: the configuration space */
int vloop_config_init(struct vloop_device *vd, const struct vloop_create *arg);
void vloop_config_destroy(struct vloop_device *vd);
void vloop_config_read(struct vloop_device *vd, unsigned int offset,
		       void *buf, unsigned int len);
void vloop_config_write(struct vloop_device *vd, unsigned int offset,
			const void *buf, unsigned int len);
u32 vloop_config_generation(struct vloop_device *vd);
void vloop_config_tell(struct vloop_device *vd);
long vloop_get_config(struct vloop_session *session, void __user *user);
long vloop_set_config(struct vloop_session *session, void __user *user);

#endif /* VLOOP_H */
