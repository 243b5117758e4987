// SPDX-License-Identifier: GPL-2.0
/* The virtio transport: what the virtio core and the drivers call. */
#include <linux/virtio_config.h>

#include "trace.h"
#include "vloop.h"

static void vloop_get(struct virtio_device *vdev, unsigned int offset,
		      void *buf, unsigned int len)
{
	vloop_config_read(vdev_to_vloop(vdev), offset, buf, len);
}

static void vloop_set(struct virtio_device *vdev, unsigned int offset,
		      const void *buf, unsigned int len)
{
	vloop_config_write(vdev_to_vloop(vdev), offset, buf, len);
}

static u32 vloop_generation(struct virtio_device *vdev)
{
	return vloop_config_generation(vdev_to_vloop(vdev));
}

static u8 vloop_get_status(struct virtio_device *vdev)
{
	return READ_ONCE(vdev_to_vloop(vdev)->status);
}

static void wake_queues(struct vloop_device *vd)
{
	unsigned int i;

	for (i = 0; i < vd->num_queues; i++) {
		struct vloop_queue *queue = &vd->queues[i];

		if (vloop_failing(vd))
			vloop_queue_reap(queue);
		wake_up_interruptible_poll(&queue->readers, EPOLLIN);
	}
}

static void vloop_set_status(struct virtio_device *vdev, u8 status)
{
	struct vloop_device *vd = vdev_to_vloop(vdev);
	u8 old = READ_ONCE(vd->status);

	WRITE_ONCE(vd->status, status);
	/* Pairs with vloop_device_fail(): it sees the status or we the service. */
	smp_mb();
	vloop_device_event(vd, VLOOP_EVENT_STATUS);
	/* Buffers made available before DRIVER_OK may be served from now on. */
	if (status & ~old & VIRTIO_CONFIG_S_DRIVER_OK)
		wake_queues(vd);
}

static void vloop_reset(struct virtio_device *vdev)
{
	struct vloop_device *vd = vdev_to_vloop(vdev);
	unsigned int i;

	for (i = 0; i < vd->num_queues; i++)
		vloop_queue_quiesce(&vd->queues[i]);
	WRITE_ONCE(vd->status, 0);
	vloop_device_event(vd, VLOOP_EVENT_STATUS);
}

/* Drivers call this under spinlocks and RCU: wake whoever serves, or have it reaped. */
static bool vloop_notify(struct virtqueue *vq)
{
	struct vloop_queue *queue = vq->priv;

	/* Submitters run this side by side. */
	atomic64_inc((atomic64_t *)&queue->stats->kicks);
	trace_vloop_kick(queue);
	/*
	 * Pairs with vloop_device_fail(), and with vloop_queue_enable_kicks() of a
	 * server that has just attached: the driver's barrier between making the
	 * buffer available and coming here orders the buffer before this look.
	 */
	if (vloop_failing(queue->device) || READ_ONCE(queue->failed))
		vloop_queue_reap(queue);
	else
		wake_up_interruptible_poll(&queue->readers, EPOLLIN);
	return true;
}

static void vloop_del_vqs(struct virtio_device *vdev)
{
	struct vloop_device *vd = vdev_to_vloop(vdev);
	unsigned int i;

	for (i = 0; i < vd->num_queues; i++) {
		struct vloop_queue *queue = &vd->queues[i];

		vloop_queue_quiesce(queue);
		if (queue->vq)
			vring_del_virtqueue(queue->vq);
		queue->vq = NULL;
	}
}

static struct virtqueue *setup_vq(struct vloop_device *vd, unsigned int index,
				  const char *name, vq_callback_t *callback,
				  bool ctx)
{
	struct vloop_queue *queue;
	struct virtqueue *vq;

	if (index >= vd->num_queues)
		return ERR_PTR(-ENOENT);
	queue = &vd->queues[index];
	if (queue->vq)
		return ERR_PTR(-EBUSY);

	memset(queue->memory, 0, queue->memory_size);
	vq = vring_new_virtqueue(index, queue->size, PAGE_SIZE, &vd->vdev, true,
				 ctx, queue->ring_start, vloop_notify, callback,
				 name);
	if (!vq)
		return ERR_PTR(-ENOMEM);
	vq->num_max = queue->size;
	vq->priv = queue;
	vloop_queue_setup(queue, vq);
	return vq;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
static int vloop_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			  struct virtqueue *vqs[],
			  struct virtqueue_info vqs_info[],
			  struct irq_affinity *desc)
#else
static int vloop_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			  struct virtqueue *vqs[], vq_callback_t *callbacks[],
			  const char * const names[], const bool *ctx,
			  struct irq_affinity *desc)
#endif
{
	struct vloop_device *vd = vdev_to_vloop(vdev);
	unsigned int i, index = 0;

	for (i = 0; i < nvqs; i++) {
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
		const char *name = vqs_info[i].name;
		vq_callback_t *callback = vqs_info[i].callback;
		bool context = vqs_info[i].ctx;
#else
		const char *name = names[i];
		vq_callback_t *callback = callbacks[i];
		bool context = ctx && ctx[i];
#endif
		if (!name) {
			vqs[i] = NULL;
			continue;
		}
		vqs[i] = setup_vq(vd, index++, name, callback, context);
		if (IS_ERR(vqs[i])) {
			int err = PTR_ERR(vqs[i]);

			vloop_del_vqs(vdev);
			return err;
		}
	}
	return 0;
}

static u64 vloop_get_features(struct virtio_device *vdev)
{
	return vdev_to_vloop(vdev)->features;
}

static int vloop_finalize_features(struct virtio_device *vdev)
{
	struct vloop_device *vd = vdev_to_vloop(vdev);

	vring_transport_features(vdev);
	/* The ring code counts on little endian. */
	if (!__virtio_test_bit(vdev, VIRTIO_F_VERSION_1)) {
		dev_err(&vd->dev, "the driver refused VIRTIO_F_VERSION_1\n");
		return -EINVAL;
	}
	return 0;
}

static const char *vloop_bus_name(struct virtio_device *vdev)
{
	return dev_name(&vdev_to_vloop(vdev)->dev);
}

const struct virtio_config_ops vloop_config_ops = {
	.get = vloop_get,
	.set = vloop_set,
	.generation = vloop_generation,
	.get_status = vloop_get_status,
	.set_status = vloop_set_status,
	.reset = vloop_reset,
	.find_vqs = vloop_find_vqs,
	.del_vqs = vloop_del_vqs,
	.get_features = vloop_get_features,
	.finalize_features = vloop_finalize_features,
	.bus_name = vloop_bus_name,
};
