// SPDX-License-Identifier: GPL-2.0
/*
 * What each type of device may say of itself.
 *
 * The stock drivers trust their device in places: a value that no real device
 * has reaches a BUG, a WARN or a request that can never be made.  Those values
 * end here.
 */
#include <linux/log2.h>
#include <linux/sizes.h>
#include <uapi/linux/virtio_blk.h>
#include <uapi/linux/virtio_ids.h>

#include "vloop.h"

#define BLK_STATUS_AND_HEADER	2
#define BLK_EXP_MAX		8

static bool offers(const struct vloop_device *vd, unsigned int feature)
{
	return vd->features & BIT_ULL(feature);
}

static unsigned int smallest_queue(const struct vloop_device *vd)
{
	unsigned int i, size = VLOOP_QUEUE_SIZE_MAX;

	for (i = 0; i < vd->num_queues; i++)
		size = min(size, vd->queues[i].size);
	return size;
}

static int check_blk_limits(const struct vloop_device *vd,
			    const struct virtio_blk_config *config)
{
	u32 seg_max = __virtio32_to_cpu(true, config->seg_max);
	u32 size_max = __virtio32_to_cpu(true, config->size_max);
	u32 blk_size = __virtio32_to_cpu(true, config->blk_size);
	u16 num_queues = __virtio16_to_cpu(true, config->num_queues);

	/* Without INDIRECT_DESC a larger request never fits the ring. */
	if (offers(vd, VIRTIO_BLK_F_SEG_MAX) &&
	    (!seg_max || seg_max > smallest_queue(vd) - BLK_STATUS_AND_HEADER))
		return -EINVAL;
	if (offers(vd, VIRTIO_BLK_F_SIZE_MAX) && size_max < PAGE_SIZE)
		return -EINVAL;
	if (offers(vd, VIRTIO_BLK_F_BLK_SIZE) &&
	    (!is_power_of_2(blk_size) || blk_size < SZ_512 || blk_size > SZ_4K))
		return -EINVAL;
	if (offers(vd, VIRTIO_BLK_F_TOPOLOGY) &&
	    config->physical_block_exp > BLK_EXP_MAX)
		return -EINVAL;
	if (offers(vd, VIRTIO_BLK_F_MQ) && num_queues != vd->num_queues)
		return -EINVAL;
	return 0;
}

static int check_blk(const struct vloop_device *vd)
{
	struct virtio_blk_config config = {};
	u64 known = BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) |
		    BIT_ULL(VIRTIO_BLK_F_SEG_MAX) |
		    BIT_ULL(VIRTIO_BLK_F_GEOMETRY) | BIT_ULL(VIRTIO_BLK_F_RO) |
		    BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |
		    BIT_ULL(VIRTIO_BLK_F_FLUSH) |
		    BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) | BIT_ULL(VIRTIO_BLK_F_MQ);
	unsigned int i;

	/* What is not checked here is not offered. */
	if (vd->features & ~known & ~VLOOP_TRANSPORT_FEATURES)
		return -EINVAL;
	/* A disk's driver waits for each request without end. */
	for (i = 0; i < vd->num_queues; i++)
		if (vd->queues[i].death_policy != VLOOP_DEATH_REPLY)
			return -EINVAL;
	/* One segment is what a driver assumes if SEG_MAX isn't there. */
	memcpy(&config, vd->config,
	       min_t(size_t, sizeof(config), vd->config_len));
	return check_blk_limits(vd, &config);
}

/* Its driver must never get an answer without data. */
static int check_rng(const struct vloop_device *vd)
{
	if (vd->features & ~VLOOP_TRANSPORT_FEATURES || vd->num_queues != 1 ||
	    vd->queues[0].death_policy != VLOOP_DEATH_LEAVE)
		return -EINVAL;
	return 0;
}

/* Returns 0, -EINVAL for values no driver must see, -EPERM for unknown types. */
int vloop_check_class(const struct vloop_device *vd)
{
	switch (vd->device_id) {
	case VIRTIO_ID_BLOCK:
		return check_blk(vd);
	case VIRTIO_ID_RNG:
		return check_rng(vd);
	default:
		return -EPERM;
	}
}
