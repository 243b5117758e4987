/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who owns what
 *
 *   struct vloop_device	refcounted by @dev; held by the device descriptor,
 *				each queue descriptor, the control work while it
 *				is needed, and the registered virtio device.
 *   struct vloop_queue		part of its device.  Its ring memory lives as long
 *				as the device; the virtqueue on top comes and goes
 *				with the driver (find_vqs, del_vqs).
 *   struct vloop_slot		one per descriptor head.  FREE: the driver's.
 *				FETCHED: the process's.  BUSY: whoever runs the
 *				operation; nobody else touches it.
 *
 * Locks, outermost first
 *
 *   vloop_device.lock (mutex)	life cycle flags, file table writers
 *   vloop_queue.lock (irq)	slot states, both ring indices, record lists,
 *				statistics, @users
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
#include <linux/spinlock.h>
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
	bool done_unread;	/* on queue->done */
	bool copying_out;	/* to process memory, which may wait */
	bool orphan;		/* who began the operation has closed */
	u32 seq;
	u32 readable;
	u32 writable;
	u32 filled;		/* writable bytes filled from the front */
	u64 fetched_at;
	struct list_head redeliver_node;
	struct list_head done_node;
	u32 done_seq;
	u64 done_user_data;
	s64 done_result;

	/* The operation under way; owned by whoever runs it. */
	struct vloop_op op;
	struct vloop_file *file;
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

	spinlock_t lock;
	bool ready;
	bool opened;		/* a queue descriptor exists */
	bool nowait;		/* and its read() never waits */
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

struct vloop_device {
	struct device dev;
	int id;
	struct virtio_device vdev;
	u32 device_id;
	u64 features;
	u8 *config;
	u32 config_len;
	u8 status;			/* driver writes, anybody reads */

	struct mutex lock;
	enum vloop_state state;
	bool start_wanted;
	bool remove_wanted;
	bool deserted;			/* nobody serves; read without the lock */
	int start_error;
	struct pid *server;		/* thread group that created the device */
	struct work_struct control;
	struct delayed_work watch;	/* for the server's death */
	struct workqueue_struct *wq;	/* operations that would block, reaping */

	wait_queue_head_t readers;
	unsigned long events;		/* bit per enum vloop_event not yet read */

	struct vloop_file __rcu *files[VLOOP_FILES_MAX];
	unsigned int num_queues;
	struct vloop_queue queues[] __counted_by(num_queues);
};

#define VLOOP_TRANSPORT_FEATURES \
	(BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX))

static inline struct vloop_device *vdev_to_vloop(struct virtio_device *vdev)
{
	return container_of(vdev, struct vloop_device, vdev);
}

/* device.c: life cycle and the device descriptor */
extern struct class vloop_class;
int vloop_device_create(struct vloop_create *arg, struct vloop_create __user *user);
void vloop_device_event(struct vloop_device *vd, enum vloop_event event);
int vloop_devices_init(void);
void vloop_devices_exit(void);

static inline bool vloop_deserted(struct vloop_device *vd)
{
	return READ_ONCE(vd->deserted);
}

/* transport.c: what the virtio core and its drivers call */
extern const struct virtio_config_ops vloop_config_ops;

/* ring.c: the device's half of the split ring */
int vloop_queue_init(struct vloop_device *vd, unsigned int index,
		     const struct vloop_queue_config *config);
void vloop_queue_destroy(struct vloop_queue *queue);
void vloop_queue_setup(struct vloop_queue *queue, struct virtqueue *vq);
void vloop_queue_quiesce(struct vloop_queue *queue);
unsigned int vloop_queue_fetch(struct vloop_queue *queue,
			       struct vloop_record *records, unsigned int max);
void vloop_queue_unfetch(struct vloop_queue *queue,
			 const struct vloop_record *records, unsigned int n);
bool vloop_queue_enable_kicks(struct vloop_queue *queue);
void vloop_queue_push(struct vloop_slot *slot, u32 length);
void vloop_queue_signal(struct vloop_queue *queue);
void vloop_queue_signal_any_context(struct vloop_queue *queue);
void vloop_slot_redeliver(struct vloop_slot *slot);
void vloop_queue_redeliver(struct vloop_queue *queue);
void vloop_queue_put(struct vloop_queue *queue);
void vloop_queue_put_locked(struct vloop_queue *queue);
void vloop_queue_answer_dead(struct vloop_slot *slot);
void vloop_queue_reap_work(struct work_struct *work);
u32 vloop_slot_copy(const struct vloop_slot *slot, bool writable, u32 skip,
		    void *buffer, u32 length);
unsigned int vloop_slot_bvecs(const struct vloop_slot *slot, bool writable,
			      u32 skip, u32 length, struct bio_vec *bvecs);

/* operation.c: the mover */
int vloop_op_submit(struct vloop_queue *queue, const struct vloop_op *op);
void vloop_op_work(struct work_struct *work);
void vloop_file_put(struct vloop_file *vf);

/* queue_file.c: the queue descriptor */
int vloop_queue_fd(struct vloop_device *vd, const struct vloop_queue_fd *arg);

/* device.c: the process behind a descriptor died or closed it */
void vloop_device_desert(struct vloop_device *vd);
void vloop_check_server(struct vloop_device *vd);

/* class.c: what each type of device may say of itself */
int vloop_check_class(const struct vloop_device *vd);

#endif /* VLOOP_H */
