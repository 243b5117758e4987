// SPDX-License-Identifier: GPL-2.0
/*
 * What each type of device may say of itself.
 *
 * The stock drivers, and the subsystems behind them, trust their device in
 * places: a value that no real device has reaches a BUG, a WARN, a division by
 * zero or a request that can never be made.  Those values end here.  Checked
 * against the drivers of Linux 6.1 and 6.12.
 */
#include <linux/blk_types.h>
#include <linux/input.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/sizes.h>
#include <uapi/linux/virtio_blk.h>
#include <uapi/linux/virtio_ids.h>
#include <uapi/linux/virtio_input.h>

#include "vloop.h"

#define UNSAFE_IDS_MAX		16

static unsigned int unsafe_ids[UNSAFE_IDS_MAX];
static unsigned int num_unsafe_ids;
module_param_array(unsafe_ids, uint, &num_unsafe_ids, 0444);
MODULE_PARM_DESC(unsafe_ids,
		 "virtio device ids accepted without any check: their drivers must not trust their device");

static bool is_unsafe(u32 device_id)
{
	unsigned int i;

	for (i = 0; i < num_unsafe_ids; i++)
		if (unsafe_ids[i] == device_id)
			return true;
	return false;
}

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

static bool all_queues_have(const struct vloop_device *vd, u8 death_policy)
{
	unsigned int i;

	for (i = 0; i < vd->num_queues; i++)
		if (vd->queues[i].death_policy != death_policy)
			return false;
	return true;
}

#define BLK_FEATURES \
	(BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) | BIT_ULL(VIRTIO_BLK_F_SEG_MAX) | \
	 BIT_ULL(VIRTIO_BLK_F_GEOMETRY) | BIT_ULL(VIRTIO_BLK_F_RO) | \
	 BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) | BIT_ULL(VIRTIO_BLK_F_FLUSH) | \
	 BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) | BIT_ULL(VIRTIO_BLK_F_MQ))
#define BLK_STATUS_AND_HEADER	2
#define BLK_EXP_MAX		8
/* The block layer counts the bytes of a disk in a signed number. */
#define BLK_CAPACITY_MAX	(S64_MAX >> SECTOR_SHIFT)
/* io_opt becomes read-ahead, twice: a driver would fill memory with it. */
#define BLK_IO_SIZE_MAX		SZ_64M

static u32 blk_size(const struct vloop_device *vd,
		    const struct virtio_blk_config *config)
{
	return offers(vd, VIRTIO_BLK_F_BLK_SIZE) ?
	       __virtio32_to_cpu(true, config->blk_size) : SECTOR_SIZE;
}

/*
 * Without INDIRECT_DESC a larger request than the ring never fits it.  And a
 * block may lie on two pages: a driver that may not use two segments for it
 * cannot split the request any further, and the block layer has a BUG (6.1) or
 * writes more segments than it counted (6.12).
 */
static int check_blk_segments(const struct vloop_device *vd,
			      const struct virtio_blk_config *config)
{
	u32 size_max = __virtio32_to_cpu(true, config->size_max);
	u32 seg_max = 1;	/* what the driver assumes */

	if (offers(vd, VIRTIO_BLK_F_SEG_MAX))
		seg_max = __virtio32_to_cpu(true, config->seg_max);
	if (!seg_max || seg_max > smallest_queue(vd) - BLK_STATUS_AND_HEADER)
		return -EINVAL;
	if (seg_max < 2 && blk_size(vd, config) > SECTOR_SIZE)
		return -EINVAL;
	if (offers(vd, VIRTIO_BLK_F_SIZE_MAX) && size_max < PAGE_SIZE)
		return -EINVAL;
	return 0;
}

static int check_blk_topology(const struct vloop_device *vd,
			      const struct virtio_blk_config *config)
{
	u64 block = blk_size(vd, config);
	u64 io_min = block * __virtio16_to_cpu(true, config->min_io_size);
	u64 io_opt = block * __virtio32_to_cpu(true, config->opt_io_size);

	if (!offers(vd, VIRTIO_BLK_F_TOPOLOGY))
		return 0;
	if (config->physical_block_exp > BLK_EXP_MAX ||
	    io_min > BLK_IO_SIZE_MAX || io_opt > BLK_IO_SIZE_MAX)
		return -EINVAL;
	return 0;
}

static int check_blk_config(const struct vloop_device *vd, const void *data)
{
	struct virtio_blk_config config = {};
	u32 block;
	int err;

	/* What is beyond the end reads as zero. */
	if (data)
		memcpy(&config, data,
		       min_t(size_t, sizeof(config), vd->config.length));
	block = blk_size(vd, &config);
	if (!is_power_of_2(block) || block < SECTOR_SIZE || block > SZ_4K)
		return -EINVAL;
	if (__virtio64_to_cpu(true, config.capacity) > BLK_CAPACITY_MAX)
		return -EINVAL;
	if (offers(vd, VIRTIO_BLK_F_MQ) &&
	    __virtio16_to_cpu(true, config.num_queues) != vd->num_queues)
		return -EINVAL;
	err = check_blk_segments(vd, &config);
	return err ? err : check_blk_topology(vd, &config);
}

static int check_blk(const struct vloop_device *vd)
{
	unsigned int i;

	/* What is not checked here is not offered. */
	if (vd->features & ~BLK_FEATURES & ~VLOOP_TRANSPORT_FEATURES)
		return -EINVAL;
	/* A disk's driver waits for each request without end. */
	if (!all_queues_have(vd, VLOOP_DEATH_REPLY) || vd->config.num_pages)
		return -EINVAL;
	/* Nothing is filled then: it must not look like data. */
	for (i = 0; i < vd->num_queues; i++)
		if (vd->queues[i].death_status == VIRTIO_BLK_S_OK)
			return -EINVAL;
	return check_blk_config(vd, vd->config.data);
}

static int check_rng(const struct vloop_device *vd)
{
	/* Its driver must never get an answer without data. */
	if (vd->features & ~VLOOP_TRANSPORT_FEATURES || vd->num_queues != 1 ||
	    !all_queues_have(vd, VLOOP_DEATH_LEAVE) || vd->config.num_pages)
		return -EINVAL;
	return 0;
}

#define INPUT_QUEUES		2
/* The driver has room for 64 bytes, and ends them with a zero only if it fits. */
#define INPUT_STRING_MAX	63
/* The limit of the input core, which older kernels don't have. */
#define INPUT_SLOTS_MAX		1024

/* Shown in /proc/bus/input/devices and uevents, a line each. */
static int check_input_string(const struct vloop_config_page *page)
{
	unsigned int i;

	if (page->subsel || page->size > INPUT_STRING_MAX)
		return -EINVAL;
	for (i = 0; i < page->size; i++)
		if (page->data[i] < ' ' || page->data[i] == 0x7f)
			return -EINVAL;
	return 0;
}

/* The drivers of mice and joysticks divide by the range of an axis. */
static int check_input_axis(const struct vloop_config_page *page)
{
	const struct virtio_input_absinfo *info = (const void *)page->data;
	s32 minimum, maximum, flat;
	s64 range;

	if (page->subsel >= ABS_CNT || page->size != sizeof(*info))
		return -EINVAL;
	minimum = le32_to_cpu(info->min);
	maximum = le32_to_cpu(info->max);
	flat = le32_to_cpu(info->flat);
	range = (s64)maximum - minimum;
	if (range < 0 || range >= S32_MAX || flat < 0 || flat > range)
		return -EINVAL;
	/* As many slots are allocated. */
	if (page->subsel == ABS_MT_SLOT &&
	    (minimum || maximum >= INPUT_SLOTS_MAX))
		return -EINVAL;
	return 0;
}

/* Each of these types has a bitmap in the driver; others it doesn't know. */
static int check_input_events(const struct vloop_config_page *page)
{
	switch (page->subsel) {
	case EV_KEY:
	case EV_REL:
	case EV_ABS:
	case EV_MSC:
	case EV_SW:
	case EV_LED:
	case EV_SND:
	case EV_REP:
		return 0;
	default:
		return -EINVAL;
	}
}

static int check_input_page(const struct vloop_config_page *page)
{
	switch (page->select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
	case VIRTIO_INPUT_CFG_ID_SERIAL:
		return check_input_string(page);
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		return page->subsel || page->size !=
		       sizeof(struct virtio_input_devids) ? -EINVAL : 0;
	case VIRTIO_INPUT_CFG_PROP_BITS:
		return page->subsel ? -EINVAL : 0;
	case VIRTIO_INPUT_CFG_EV_BITS:
		return check_input_events(page);
	case VIRTIO_INPUT_CFG_ABS_INFO:
		return check_input_axis(page);
	default:
		return -EINVAL;
	}
}

static bool is_duplicate(const struct vloop_device *vd, unsigned int index)
{
	const struct vloop_config_page *pages = vd->config.pages;
	unsigned int i;

	for (i = 0; i < index; i++)
		if (pages[i].select == pages[index].select &&
		    pages[i].subsel == pages[index].subsel)
			return true;
	return false;
}

static int check_input(const struct vloop_device *vd)
{
	unsigned int i;
	int err = 0;

	/* A used event would be taken for a new one: nothing may be drained. */
	if (vd->features & ~VLOOP_TRANSPORT_FEATURES ||
	    vd->num_queues != INPUT_QUEUES ||
	    !all_queues_have(vd, VLOOP_DEATH_LEAVE) || !vd->config.num_pages)
		return -EINVAL;
	for (i = 0; i < vd->config.num_pages && !err; i++) {
		err = check_input_page(&vd->config.pages[i]);
		if (!err && is_duplicate(vd, i))
			err = -EINVAL;
	}
	return err;
}

/* Only an input device's driver writes a selector. */
static int check_unsafe(const struct vloop_device *vd)
{
	if (vd->config.num_pages && vd->device_id != VIRTIO_ID_INPUT)
		return -EINVAL;
	dev_notice(&vd->dev,
		   "device id %u is not checked (module parameter unsafe_ids)\n",
		   vd->device_id);
	return 0;
}

/*
 * All that a new device says of itself.  Returns 0, -EINVAL for values no
 * driver must see, -EPERM for unknown types.
 */
int vloop_check_class(const struct vloop_device *vd)
{
	if (is_unsafe(vd->device_id))
		return check_unsafe(vd);
	switch (vd->device_id) {
	case VIRTIO_ID_BLOCK:
		return check_blk(vd);
	case VIRTIO_ID_RNG:
		return check_rng(vd);
	case VIRTIO_ID_INPUT:
		return check_input(vd);
	default:
		return -EPERM;
	}
}

/* Other contents for the config space of a device that was accepted. */
int vloop_check_config(const struct vloop_device *vd, const void *data)
{
	if (vd->device_id == VIRTIO_ID_BLOCK && !is_unsafe(vd->device_id))
		return check_blk_config(vd, data);
	return 0;
}

/*
 * Whether the driver can live with an answer of which @length bytes are new.
 * Entropy: after one without data it never asks again.  Input: it takes the
 * buffer for an event whatever the length, and what is in there is an old one.
 */
bool vloop_class_accepts_answer(const struct vloop_slot *slot, u32 length)
{
	switch (slot->queue->device->device_id) {
	case VIRTIO_ID_RNG:
		return length;
	case VIRTIO_ID_INPUT:
		return length >= slot->writable;
	default:
		return true;
	}
}
