/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * vloop: virtio devices whose implementation is a process on the same kernel.
 *
 * Three kinds of file descriptor, each made by the one before it:
 *
 *   /dev/vloop --VLOOP_CREATE--> device --VLOOP_QUEUE_FD--> queue
 *
 * The device descriptor carries the control plane (ioctl, events by read()).
 * The queue descriptor is the data path: read() returns &struct vloop_record,
 * write() takes &struct vloop_op, mmap() shows the available ring and the
 * statistics.  docs/abi.md draws the life cycle and says who owns what.
 */
#ifndef _UAPI_LINUX_VLOOP_H
#define _UAPI_LINUX_VLOOP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VLOOP_ABI_VERSION	2

/* Bounds of the ABI; VLOOP_GET_INFO reports those of the running module. */
#define VLOOP_QUEUES_MAX	64
#define VLOOP_QUEUE_SIZE_MIN	4
#define VLOOP_QUEUE_SIZE_MAX	1024
#define VLOOP_FILES_MAX		16
#define VLOOP_CONFIG_MAX	4096
#define VLOOP_COPY_MAX		65536
#define VLOOP_DESCRIPTION_MAX	4000
#define VLOOP_PAGES_MAX		256
#define VLOOP_PAGE_DATA_MAX	128
#define VLOOP_GRACE_MS_DEFAULT	30000
#define VLOOP_GRACE_MS_MAX	3600000
#define VLOOP_WAIT_MS_MAX	60000

/**
 * struct vloop_info - what this module is and can do
 * @abi_version: VLOOP_ABI_VERSION of the module
 * @queues_max: queues that one device may have
 * @queue_size_max: entries that one queue may have, a power of two
 * @files_max: entries of a device's file table
 * @config_max: bytes that a device's config space may have
 * @copy_max: bytes that one copy operation may move
 * @transport_features: virtio transport feature bits the module implements
 * @reserved: zero
 */
struct vloop_info {
	__u32 abi_version;
	__u32 queues_max;
	__u32 queue_size_max;
	__u32 files_max;
	__u32 config_max;
	__u32 copy_max;
	__u64 transport_features;
	__u64 reserved[4];
};

/**
 * enum vloop_death_policy - what becomes of requests when nobody serves a queue
 * @VLOOP_DEATH_REPLY: the module writes @death_status into the last writable
 *	byte of each request and completes it (block devices)
 * @VLOOP_DEATH_LEAVE: nothing is pushed; the driver takes its buffers back when
 *	the device is removed (entropy, input events)
 */
enum vloop_death_policy {
	VLOOP_DEATH_REPLY = 0,
	VLOOP_DEATH_LEAVE = 1,
};

/**
 * struct vloop_queue_config - one queue of a new device
 * @size: entries, a power of two, VLOOP_QUEUE_SIZE_MIN..VLOOP_QUEUE_SIZE_MAX
 * @death_policy: enum vloop_death_policy
 * @death_status: the status byte of VLOOP_DEATH_REPLY
 * @reserved: zero
 */
struct vloop_queue_config {
	__u32 size;
	__u8 death_policy;
	__u8 death_status;
	__u16 reserved[5];
};

/**
 * enum vloop_exit_policy - what becomes of a device whose server ends
 * @VLOOP_EXIT_FAIL: the device ends too: its requests are answered by each
 *	queue's death policy, then it is removed
 * @VLOOP_EXIT_QUEUE: what the server had fetched is answered by death policy;
 *	what comes later waits for the next server (ublk: USER_RECOVERY)
 * @VLOOP_EXIT_REISSUE: all wait; what the server had fetched and not answered
 *	comes again to the next server (ublk: USER_RECOVERY_REISSUE)
 * @VLOOP_EXIT_FAIL_FAST: all are answered by death policy, at once, until the
 *	next server comes (ublk: USER_RECOVERY_FAIL_IO)
 *
 * All but the first make the device recoverable: VLOOP_ATTACH gives it a new
 * server.  While nobody serves, requests wait for the grace period at most;
 * after it they are answered as by FAIL_FAST.  After VLOOP_DETACH they wait, and
 * come again, whatever the policy.
 */
enum vloop_exit_policy {
	VLOOP_EXIT_FAIL = 0,
	VLOOP_EXIT_QUEUE = 1,
	VLOOP_EXIT_REISSUE = 2,
	VLOOP_EXIT_FAIL_FAST = 3,
};

/**
 * struct vloop_config_page - contents that a driver selects (virtio 1.3, 5.8.4)
 * @select: what the driver writes to byte 0 of the config space
 * @subsel: what it writes to byte 1
 * @size: bytes of @data that count, what the driver then reads at byte 2
 * @reserved: zero
 * @data: what it reads from byte 8 on
 */
struct vloop_config_page {
	__u8 select;
	__u8 subsel;
	__u8 size;
	__u8 reserved[5];
	__u8 data[VLOOP_PAGE_DATA_MAX];
};

/*
 * The server may map the memory of requests in flight: see VLOOP_MMAP_WINDOW.
 * Needs CAP_SYS_RAWIO, in whoever opened /dev/vloop, for VLOOP_ATTACH too; a
 * kernel that is locked down refuses it.
 */
#define VLOOP_CREATE_WINDOW	(1U << 0)

/**
 * struct vloop_create - argument of VLOOP_CREATE
 * @device_id: virtio device id (virtio 1.3, section 5)
 * @vendor_id: vendor id shown in sysfs
 * @features: feature bits offered to the driver; the module clears transport
 *	bits that it does not implement and always offers VERSION_1
 * @queues: user pointer to @num_queues &struct vloop_queue_config
 * @config: user pointer to @config_len bytes, the initial config space
 * @num_queues: 1..VLOOP_QUEUES_MAX
 * @config_len: 0..VLOOP_CONFIG_MAX
 * @flags: VLOOP_CREATE_WINDOW or zero
 * @id: out: number N of the new device, vloopN in sysfs
 * @on_exit: enum vloop_exit_policy
 * @grace_ms: how long requests wait for a new server, up to VLOOP_GRACE_MS_MAX;
 *	0 for VLOOP_GRACE_MS_DEFAULT
 * @description: user pointer to @description_len bytes of text without control
 *	characters, shown in sysfs: what a new server needs to know
 * @description_len: 0..VLOOP_DESCRIPTION_MAX
 * @num_pages: 0..VLOOP_PAGES_MAX; only for classes that have a selector
 * @pages: user pointer to @num_pages &struct vloop_config_page
 * @reserved: zero
 */
struct vloop_create {
	__u32 device_id;
	__u32 vendor_id;
	__u64 features;
	__u64 queues;
	__u64 config;
	__u32 num_queues;
	__u32 config_len;
	__u32 flags;
	__u32 id;
	__u32 on_exit;
	__u32 grace_ms;
	__u64 description;
	__u32 description_len;
	__u32 num_pages;
	__u64 pages;
	__u64 reserved[4];
};

/* Ask the living server to hand the device over, and wait until it does. */
#define VLOOP_ATTACH_TAKE_OVER	(1U << 0)

/**
 * struct vloop_attach - argument of VLOOP_ATTACH
 * @id: number N of a recoverable device
 * @flags: VLOOP_ATTACH_TAKE_OVER or zero
 * @timeout_ms: with TAKE_OVER: 1..VLOOP_WAIT_MS_MAX; otherwise zero
 * @pad: zero
 * @reserved: zero
 */
struct vloop_attach {
	__u32 id;
	__u32 flags;
	__u32 timeout_ms;
	__u32 pad;
	__u64 reserved[4];
};

/* Whatever the server does: its part is over, the device is removed. */
#define VLOOP_STOP_FORCE	(1U << 0)

/**
 * struct vloop_stop - argument of VLOOP_STOP
 * @id: number N of the device
 * @flags: VLOOP_STOP_FORCE or zero
 * @reserved: zero
 */
struct vloop_stop {
	__u32 id;
	__u32 flags;
	__u64 reserved[4];
};

/**
 * enum vloop_service - who answers a device's requests
 * @VLOOP_SERVICE_SERVED: its server
 * @VLOOP_SERVICE_DESERTED: nobody; they wait for the next server
 * @VLOOP_SERVICE_FAILING: the module, by each queue's death policy
 */
enum vloop_service {
	VLOOP_SERVICE_SERVED = 0,
	VLOOP_SERVICE_DESERTED = 1,
	VLOOP_SERVICE_FAILING = 2,
};

/**
 * enum vloop_state - where a device is in its life
 * @VLOOP_STATE_CREATED: made, not yet visible to any driver
 * @VLOOP_STATE_STARTING: VLOOP_START was called, the driver may be probing
 * @VLOOP_STATE_LIVE: registered on the virtio bus
 * @VLOOP_STATE_REMOVING: being unregistered; still served by its process
 * @VLOOP_STATE_GONE: unregistered; only the descriptors are left
 */
enum vloop_state {
	VLOOP_STATE_CREATED = 0,
	VLOOP_STATE_STARTING = 1,
	VLOOP_STATE_LIVE = 2,
	VLOOP_STATE_REMOVING = 3,
	VLOOP_STATE_GONE = 4,
};

/**
 * struct vloop_device_info - argument of VLOOP_GET_DEVICE_INFO
 * @state: enum vloop_state
 * @virtio_index: N of /sys/bus/virtio/devices/virtioN, -1 before that exists
 * @driver_features: what the driver acknowledged
 * @features: what was offered
 * @driver_status: virtio status byte (virtio 1.3, section 2.1)
 * @id: N of vloopN
 * @service: enum vloop_service
 * @server_pid: thread group of the server as the caller sees it, 0 if none
 * @device_id: virtio device id
 * @num_queues: queues it has
 * @config_len: bytes of its config space
 * @on_exit: enum vloop_exit_policy
 * @grace_ms: as created
 * @recoveries: times that a server attached
 * @flags: VLOOP_CREATE_*, as created
 * @pad: zero
 * @reserved: zero
 */
struct vloop_device_info {
	__u32 state;
	__s32 virtio_index;
	__u64 driver_features;
	__u64 features;
	__u32 driver_status;
	__u32 id;
	__u32 service;
	__u32 server_pid;
	__u32 device_id;
	__u32 num_queues;
	__u32 config_len;
	__u32 on_exit;
	__u32 grace_ms;
	__u32 recoveries;
	__u32 flags;
	__u32 pad;
	__u64 reserved[3];
};

/**
 * struct vloop_config - argument of VLOOP_GET_CONFIG and VLOOP_SET_CONFIG
 * @data: user pointer to @length bytes
 * @length: of the whole config space, as created
 * @pad: zero
 * @reserved: zero
 *
 * SET_CONFIG is checked as CREATE is, and tells the driver that the contents
 * changed.
 */
struct vloop_config {
	__u64 data;
	__u32 length;
	__u32 pad;
	__u64 reserved[2];
};

/**
 * struct vloop_set_file - argument of VLOOP_SET_FILE
 * @index: entry of the device's file table, below VLOOP_FILES_MAX
 * @fd: regular file or block device that operations name by @index; -1 empties
 *	the entry.  Running operations keep the file that they began with.
 * @reserved: zero
 */
struct vloop_set_file {
	__u32 index;
	__s32 fd;
	__u64 reserved[2];
};

/* A plain read() never waits: poll, or let io_uring wait (which O_NONBLOCK forbids). */
#define VLOOP_QUEUE_NOWAIT	(1U << 0)

/**
 * struct vloop_queue_fd - argument of VLOOP_QUEUE_FD
 * @index: which queue
 * @flags: VLOOP_QUEUE_NOWAIT or zero
 * @size: out: entries of the queue
 * @pad: zero
 * @reserved: zero
 */
struct vloop_queue_fd {
	__u32 index;
	__u32 flags;
	__u32 size;
	__u32 pad;
	__u64 reserved[2];
};

#define VLOOP_IOC_MAGIC		0xb6

/* On /dev/vloop. */
#define VLOOP_GET_INFO		_IOR(VLOOP_IOC_MAGIC, 0x40, struct vloop_info)
/* Returns a new device descriptor (close-on-exec). */
#define VLOOP_CREATE		_IOWR(VLOOP_IOC_MAGIC, 0x41, struct vloop_create)
/* Returns a device descriptor whose holder is the server from now on. */
#define VLOOP_ATTACH		_IOW(VLOOP_IOC_MAGIC, 0x42, struct vloop_attach)
/* Asynchronous; without FORCE a living server is only asked. */
#define VLOOP_STOP		_IOW(VLOOP_IOC_MAGIC, 0x43, struct vloop_stop)

/* On a device descriptor. */
/* Asynchronous: the driver probes later, and the process serves that probe. */
#define VLOOP_START		_IO(VLOOP_IOC_MAGIC, 0x50)
/* Asynchronous: ends with VLOOP_EVENT_GONE; serve until then. */
#define VLOOP_REMOVE		_IO(VLOOP_IOC_MAGIC, 0x51)
#define VLOOP_GET_DEVICE_INFO	_IOR(VLOOP_IOC_MAGIC, 0x52, struct vloop_device_info)
#define VLOOP_SET_FILE		_IOW(VLOOP_IOC_MAGIC, 0x53, struct vloop_set_file)
/* Returns a new queue descriptor (close-on-exec); one per queue at a time. */
#define VLOOP_QUEUE_FD		_IOWR(VLOOP_IOC_MAGIC, 0x54, struct vloop_queue_fd)
/* Gives the device up for the next server; the descriptors of this one are void. */
#define VLOOP_DETACH		_IO(VLOOP_IOC_MAGIC, 0x55)
#define VLOOP_GET_CONFIG	_IOW(VLOOP_IOC_MAGIC, 0x56, struct vloop_config)
#define VLOOP_SET_CONFIG	_IOW(VLOOP_IOC_MAGIC, 0x57, struct vloop_config)

/*
 * mmap offsets of a queue descriptor.  The first two map one page, read-only.
 */
#define VLOOP_MMAP_AVAIL	0x00000000ULL	/* struct vring_avail, zeroed by each set-up */
#define VLOOP_MMAP_STATS	0x10000000ULL	/* struct vloop_queue_stats */

/*
 * The other two are those of a device made with VLOOP_CREATE_WINDOW.
 *
 * DESCS: struct vring_desc[size], rounded up to whole pages, read-only.  For the
 * head of each request that was fetched it has the chain as the driver made it,
 * but for the addresses: these count from the beginning of the window.  All of
 * a chain that does not fit its slice, or is in no ordinary memory, has
 * VLOOP_WINDOW_NONE there: operations are the way to its bytes.
 *
 * WINDOW: size * VLOOP_WINDOW_SLICE bytes, MAP_SHARED, readable or readable and
 * writable, for which mprotect() is refused; a child of fork() does not have it.
 * A page shows a request's memory from the fetch of the request to the
 * operation that completes it, and never after that.  What the driver lets the
 * device only read cannot be written to (SIGBUS).  Touching what is not in
 * flight finds a page of zeroes that is nobody's; a system call that is given it
 * fails with EFAULT.  Direct I/O, registered buffers and whatever else pins
 * pages fail with EFAULT at all times.
 */
#define VLOOP_MMAP_DESCS	0x20000000ULL
#define VLOOP_MMAP_WINDOW	(1ULL << 40)
#define VLOOP_WINDOW_SLICE	(4U << 20)
#define VLOOP_WINDOW_NONE	(~0ULL)

/**
 * enum vloop_record_type - what read() on a descriptor returned
 * @VLOOP_RECORD_REQUEST: the driver made a request available (queue)
 * @VLOOP_RECORD_DONE: an operation without VLOOP_OP_DETACH ended (queue)
 * @VLOOP_RECORD_EVENT: enum vloop_event (queue and device)
 */
enum vloop_record_type {
	VLOOP_RECORD_REQUEST = 1,
	VLOOP_RECORD_DONE = 2,
	VLOOP_RECORD_EVENT = 3,
};

/**
 * enum vloop_event - what happened
 * @VLOOP_EVENT_STATUS: device: the driver wrote its status; @arg is the byte,
 *	@value the acknowledged features.  Several writes may be told as one.
 * @VLOOP_EVENT_GONE: device: the device was unregistered; @arg is 0 or an errno
 *	of the registration
 * @VLOOP_EVENT_QUEUE_READY: queue: the driver set this queue up (again) and is
 *	ready (DRIVER_OK), or this is a new descriptor; comes before the first of
 *	its requests.  What was fetched before is void.  @arg
 *	counts the set-ups, @value is the features that the driver acknowledged,
 *	@extra the available index of the next request that nobody fetched yet
 * @VLOOP_EVENT_OP_ERROR: queue: a detached operation failed; head and seq are
 *	those of its request, @arg its enum vloop_verb, @value the positive errno
 * @VLOOP_EVENT_QUEUE_ERROR: queue: the driver's ring broke the rules of virtio;
 *	nothing new is fetched before a reset: the module answers by death policy
 *	what it can make out
 * @VLOOP_EVENT_HAND_OVER: device: another process wants to serve it: finish or
 *	leave what is in hand, then VLOOP_DETACH
 * @VLOOP_EVENT_STOP: device: somebody who may wants it removed: VLOOP_REMOVE
 */
enum vloop_event {
	VLOOP_EVENT_STATUS = 1,
	VLOOP_EVENT_GONE = 2,
	VLOOP_EVENT_QUEUE_READY = 3,
	VLOOP_EVENT_OP_ERROR = 4,
	VLOOP_EVENT_QUEUE_ERROR = 5,
	VLOOP_EVENT_HAND_OVER = 6,
	VLOOP_EVENT_STOP = 7,
};

#define VLOOP_INLINE_MAX	40

/* In @user_data of a REQUEST: it was fetched before, through an earlier descriptor. */
#define VLOOP_REQUEST_AGAIN	(1ULL << 0)

/**
 * struct vloop_done - payload of a DONE record
 * @result: bytes moved, or a negative errno
 * @reserved: zero
 */
struct vloop_done {
	__s64 result;
	__u64 reserved[4];
};

/**
 * struct vloop_event_data - payload of an EVENT record
 * @event: enum vloop_event
 * @arg: see there
 * @value: see there
 * @extra: see there
 * @reserved: zero
 */
struct vloop_event_data {
	__u32 event;
	__u32 arg;
	__u64 value;
	__u64 extra;
	__u64 reserved[2];
};

/**
 * struct vloop_record - one unit of read()
 * @type: enum vloop_record_type
 * @head: descriptor head that names the request in operations
 * @seq: number of this use of @head; an operation must quote it
 * @readable: bytes that the driver lets the device read
 * @writable: bytes that the driver lets the device write
 * @user_data: DONE: of the operation; REQUEST: VLOOP_REQUEST_*
 * @data: REQUEST: the first bytes of the readable part
 * @done: DONE
 * @event: EVENT
 */
struct vloop_record {
	__u16 type;
	__u16 head;
	__u32 seq;
	__u32 readable;
	__u32 writable;
	__u64 user_data;
	union {
		__u8 data[VLOOP_INLINE_MAX];
		struct vloop_done done;
		struct vloop_event_data event;
	};
};

/**
 * enum vloop_verb - what an operation moves
 * @VLOOP_VERB_NONE: nothing
 * @VLOOP_VERB_FILE_TO_REQUEST: file at @offset to writable part from @skip
 * @VLOOP_VERB_REQUEST_TO_FILE: readable part from @skip to file at @offset
 * @VLOOP_VERB_COPY_TO_REQUEST: memory at @address to writable part from @skip
 * @VLOOP_VERB_COPY_FROM_REQUEST: readable part from @skip to memory at @address
 * @VLOOP_VERB_SYNC_FILE: nothing; file data reaches stable storage
 * @VLOOP_VERB_IN_PLACE: nothing; @length bytes of the writable part from @skip
 *	were written through the window
 */
enum vloop_verb {
	VLOOP_VERB_NONE = 0,
	VLOOP_VERB_FILE_TO_REQUEST = 1,
	VLOOP_VERB_REQUEST_TO_FILE = 2,
	VLOOP_VERB_COPY_TO_REQUEST = 3,
	VLOOP_VERB_COPY_FROM_REQUEST = 4,
	VLOOP_VERB_SYNC_FILE = 5,
	VLOOP_VERB_IN_PLACE = 6,
};

/* The request goes back to the driver when the operation has ended. */
#define VLOOP_OP_COMPLETE	(1U << 0)
/* With COMPLETE: the last writable byte becomes @status_ok or @status_error. */
#define VLOOP_OP_STATUS		(1U << 1)
/* With COMPLETE: no DONE record. */
#define VLOOP_OP_DETACH		(1U << 2)
/* REQUEST_TO_FILE: the data is on stable storage before the operation ends. */
#define VLOOP_OP_DSYNC		(1U << 3)

/**
 * struct vloop_op - one unit of write()
 * @verb: enum vloop_verb
 * @status_ok: status byte when the whole @length was moved
 * @status_error: status byte when it was not
 * @pad: zero
 * @flags: VLOOP_OP_*
 * @head: from the request's record
 * @file: index in the device's file table
 * @seq: from the request's record
 * @skip: bytes of the request's part that come before the transfer; the writable
 *	part is filled from its front, so at most what was filled so far
 * @length: bytes to move
 * @offset: position in the file
 * @address: user pointer of the copy verbs; copied before write() returns
 * @user_data: comes back in the DONE record
 * @reserved: zero
 *
 * write() takes as many operations as the buffer holds, in order.  It stops at
 * the first that cannot begin: if that is the very first, write() fails with
 * its errno, otherwise it returns the bytes of those before it.
 *
 *   EINVAL  malformed: unknown verb or flag, reserved not zero, range outside
 *           the request, or beginning behind a hole in what was filled;
 *           COMPLETE with a file for a request that is in the window,
 *           IN_PLACE for one that is not
 *   ESTALE  the request is not (or no longer) in the process's hands
 *   EBUSY   the request has an operation under way, or its DONE is not read yet
 *   EBADF   no file at that index
 *   EFAULT  @address of COPY_TO_REQUEST (COPY_FROM_REQUEST says so in its DONE)
 *   ENODEV  the device is gone, or the session over
 *   ENOMEM  no memory for a copy
 */
struct vloop_op {
	__u8 verb;
	__u8 status_ok;
	__u8 status_error;
	__u8 pad;
	__u32 flags;
	__u16 head;
	__u16 file;
	__u32 seq;
	__u32 skip;
	__u32 length;
	__u64 offset;
	__u64 address;
	__u64 user_data;
	__u64 reserved[2];
};

#define VLOOP_LATENCY_BUCKETS	32
#define VLOOP_STATS_VERBS	16

/**
 * struct vloop_queue_stats - what VLOOP_MMAP_STATS shows
 * @size: bytes of this structure that the module fills; later ones append
 * @taken: requests fetched by the process
 * @completed: requests given back to the driver, by whomever
 * @answered_dead: those of @completed that the module answered because nobody
 *	served the queue
 * @kicks: notifications from the driver
 * @interrupts: notifications to the driver
 * @reads: times that records were fetched for read()
 * @writes: write() calls that began operations
 * @deferred: operations that went to a kernel worker since they would block
 * @stale: operations refused because their request was void
 * @bytes_moved: moved between request and file with no copy by the module
 * @bytes_copied: copied between request and process
 * @errors: operations that failed, all verbs
 * @resets: times that the driver set the queue up
 * @in_flight: requests taken and not completed, now
 * @window_faults: times that a request's pages were put into the window
 * @verb_ops: operations ended, by enum vloop_verb
 * @verb_bytes: bytes moved, by verb
 * @verb_errors: operations failed, by verb
 * @latency_log2: completed requests by time from fetch to completion; bucket n
 *	counts those of [2^n, 2^(n+1)) ns
 *
 * Always valid memory; single words are read whole, the set is not a snapshot.
 */
struct vloop_queue_stats {
	__u64 size;
	__u64 taken;
	__u64 completed;
	__u64 answered_dead;
	__u64 kicks;
	__u64 interrupts;
	__u64 reads;
	__u64 writes;
	__u64 deferred;
	__u64 stale;
	__u64 bytes_moved;
	__u64 bytes_copied;
	__u64 errors;
	__u64 resets;
	__u64 in_flight;
	__u64 window_faults;
	__u64 verb_ops[VLOOP_STATS_VERBS];
	__u64 verb_bytes[VLOOP_STATS_VERBS];
	__u64 verb_errors[VLOOP_STATS_VERBS];
	__u64 latency_log2[VLOOP_LATENCY_BUCKETS];
};

#endif /* _UAPI_LINUX_VLOOP_H */
