// SPDX-License-Identifier: GPL-2.0
/*
 * The window: the memory of requests in flight, mapped into their server.
 *
 * Each head of a queue has a slice of one standing mapping.  The chain's
 * descriptors are shown with offsets in that mapping for addresses, so no
 * physical address leaves the kernel, and a page fault puts the chain's pages
 * in.  Before the request goes back to the driver they are taken out: the server
 * has whole pages, with whatever lies beside the request, but never a page that
 * is not part of a request in flight.
 *
 *   fault:       mmap_lock -> window->lock (shared) -> in flight? (queue->lock)
 *                -> insert -> unlock
 *   completion:  not in flight any more (queue->lock) -> window->lock
 *                (exclusively, and at once given back) -> unmap -> push
 *
 * So whoever found the request in flight has inserted before the completion
 * unmaps, and whoever comes later finds that it is not.  The same holds for a
 * reset (vloop_queue.ready) and the end of a session (vloop_session.over), which
 * unmap everything.
 *
 * The mappings hang on an address space of their own, since all anonymous inodes
 * share one.  Unmapping waits for i_mmap_rwsem and page table locks only, which
 * mm code holds for moments: it may be done by whoever ends a session.
 *
 * Where nothing is in flight a page of zeroes is put in, so that a server that
 * comes late is not killed.  But not for a system call: a write to a file that
 * goes on while the driver is reset must fail, and not fill the file with zeroes.
 */
#include <linux/capability.h>
#include <linux/highmem.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "vloop.h"

#define SLICE_PAGES	(VLOOP_WINDOW_SLICE >> PAGE_SHIFT)
#define WINDOW_PGOFF	(VLOOP_MMAP_WINDOW >> PAGE_SHIFT)

struct vloop_window {
	struct rw_semaphore lock;	/* see vloop.h */
	struct address_space mapping;	/* of all who mapped it */
	struct vring_desc *descs;	/* with queue->lock; mapped read-only */
	size_t descs_size;
	struct page *dummy;
};

/* No file has pages here, but mm code looks. */
static const struct address_space_operations no_operations = {};

/*
 * As whoever opened /dev/vloop.  What is in the pages, and who relies on it,
 * nobody knows: so it is what /dev/mem is.
 */
bool vloop_window_is_allowed(struct file *control)
{
	return file_ns_capable(control, &init_user_ns, CAP_SYS_RAWIO) &&
	       !security_locked_down(LOCKDOWN_DEV_MEM);
}

static u64 window_size(const struct vloop_queue *queue)
{
	return (u64)queue->size * VLOOP_WINDOW_SLICE;
}

int vloop_window_init(struct vloop_queue *queue)
{
	struct vloop_window *window;
	size_t descs = PAGE_ALIGN(queue->size * sizeof(*window->descs));
	int err;

	if (!queue->device->window)
		return 0;
	err = vloop_charge(queue->device, sizeof(*window) + descs + PAGE_SIZE);
	if (err)
		return err;
	window = kzalloc(sizeof(*window), GFP_KERNEL_ACCOUNT);
	if (!window)
		return -ENOMEM;
	queue->window = window;
	init_rwsem(&window->lock);
	address_space_init_once(&window->mapping);
	init_rwsem(&window->mapping.invalidate_lock);
	window->mapping.a_ops = &no_operations;
	window->descs_size = descs;
	window->descs = alloc_pages_exact(descs, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	window->dummy = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return window->descs && window->dummy ? 0 : -ENOMEM;
}

/* Also after a vloop_window_init() that failed half way. */
void vloop_window_destroy(struct vloop_queue *queue)
{
	struct vloop_window *window = queue->window;

	if (!window)
		return;
	if (window->dummy)
		__free_page(window->dummy);
	if (window->descs)
		free_pages_exact(window->descs, window->descs_size);
	kfree(window);
}

/* Mappings of the queue's new descriptor are found through its window. */
void vloop_window_adopt(struct file *file, struct vloop_queue *queue)
{
	if (!queue->window)
		return;
	/* The one of all anonymous files: it does not go away. */
	queue->window->mapping.host = file_inode(file);
	file->f_mapping = &queue->window->mapping;
}

/* The file is about to let the device go; nothing of it is mapped any more. */
void vloop_window_forsake(struct file *file)
{
	file->f_mapping = file_inode(file)->i_mapping;
}

static phys_addr_t desc_address(const struct vring_desc *desc)
{
	return __virtio64_to_cpu(true, desc->addr);
}

static unsigned int desc_pages(const struct vring_desc *desc)
{
	return PFN_UP(offset_in_page(desc_address(desc)) +
		      (u64)__virtio32_to_cpu(true, desc->len));
}

static bool desc_is_writable(const struct vring_desc *desc)
{
	return __virtio16_to_cpu(true, desc->flags) & VRING_DESC_F_WRITE;
}

static unsigned int desc_next(const struct vring_desc *desc)
{
	return __virtio16_to_cpu(true, desc->next);
}

/* Memory of a device may be gone at any time, and is cached otherwise. */
static bool is_ordinary_memory(const struct vring_desc *desc)
{
	unsigned long pfn = PHYS_PFN(desc_address(desc));
	unsigned long end = pfn + desc_pages(desc);

	for (; pfn < end; pfn++)
		if (!pfn_valid(pfn) || is_zone_device_page(pfn_to_page(pfn)))
			return false;
	return true;
}

/* The pages that the chain needs in its slice, or 0 if it cannot be there. */
static unsigned int chain_pages(const struct vloop_slot *slot)
{
	unsigned int n = slot->readable_descs + slot->writable_descs;
	const struct vring_desc *table = slot->queue->vring.desc;
	unsigned int index = slot->head;
	u64 pages = 0;

	for (; n; n--, index = desc_next(&table[index])) {
		pages += desc_pages(&table[index]);
		if (pages > SLICE_PAGES || !is_ordinary_memory(&table[index]))
			return 0;
	}
	return pages;
}

/*
 * A request was taken: lay its chain out in its slice, and tell where it is.
 * With queue->lock.
 */
void vloop_window_describe(struct vloop_slot *slot)
{
	unsigned int n = slot->readable_descs + slot->writable_descs;
	u64 at = (u64)slot->head * VLOOP_WINDOW_SLICE;
	struct vloop_queue *queue = slot->queue;
	unsigned int index = slot->head;

	if (!queue->window)
		return;
	slot->window_pages = chain_pages(slot);
	/* Whoever had the head before has left nothing mapped. */
	slot->in_window = false;
	for (; n; n--) {
		const struct vring_desc *desc = &queue->vring.desc[index];
		struct vring_desc *shown = &queue->window->descs[index];

		*shown = *desc;
		shown->addr = __cpu_to_virtio64(true, slot->window_pages ?
				at + offset_in_page(desc_address(desc)) :
				VLOOP_WINDOW_NONE);
		at += (u64)desc_pages(desc) << PAGE_SHIFT;
		index = desc_next(desc);
	}
}

/* Everybody who found something in flight that no longer is has inserted it. */
static void wait_for_faults(struct vloop_window *window)
{
	down_write(&window->lock);
	up_write(&window->lock);
}

static void unmap(struct vloop_queue *queue, unsigned int head, u64 bytes)
{
	u64 at = VLOOP_MMAP_WINDOW + (u64)head * VLOOP_WINDOW_SLICE;

	wait_for_faults(queue->window);
	unmap_mapping_range(&queue->window->mapping, at, bytes, 1);
}

/*
 * Requests are about to reach the server: a dummy page that it got by touching
 * a slice too early must not hide them.
 */
void vloop_window_make_fresh(struct vloop_queue *queue,
			     const struct vloop_record *records,
			     unsigned int n)
{
	struct vloop_slot *slot;
	unsigned long flags;
	bool hidden;

	for (; queue->window && n; n--, records++) {
		if (records->type != VLOOP_RECORD_REQUEST)
			continue;
		slot = &queue->slots[records->head];
		spin_lock_irqsave(&queue->lock, flags);
		hidden = slot->dummy_in_window;
		slot->dummy_in_window = false;
		spin_unlock_irqrestore(&queue->lock, flags);
		if (hidden)
			unmap(queue, slot->head, VLOOP_WINDOW_SLICE);
	}
}

/*
 * The request is about to go back to the driver: by its operation, which is why
 * nobody finds it in flight any more.
 */
void vloop_window_let_go(struct vloop_slot *slot)
{
	if (!slot->in_window)
		return;
	slot->in_window = false;
	unmap(slot->queue, slot->head, (u64)slot->window_pages << PAGE_SHIFT);
}

/* The same for all requests of the queue, none of which is found in flight. */
void vloop_window_cut(struct vloop_queue *queue)
{
	if (queue->window)
		unmap(queue, 0, window_size(queue));
}

/* With queue->lock. */
static bool is_in_flight(const struct vloop_queue_file *qf,
			 const struct vloop_slot *slot)
{
	if (READ_ONCE(qf->session->over) || vloop_queue_file_is_void(qf) ||
	    !qf->queue->ready)
		return false;
	return slot->state == VLOOP_SLOT_FETCHED ||
	       (slot->state == VLOOP_SLOT_BUSY &&
		!(slot->op.flags & VLOOP_OP_COMPLETE));
}

/* Whether the page of the slice may be put in now.  With window->lock. */
static bool may_show(const struct vloop_queue_file *qf, struct vloop_slot *slot,
		     unsigned int page, bool otherwise_dummy)
{
	struct vloop_queue *queue = qf->queue;
	unsigned long flags;
	bool may;

	spin_lock_irqsave(&queue->lock, flags);
	may = page < slot->window_pages && is_in_flight(qf, slot);
	if (may) {
		slot->in_window = true;
		queue->stats->window_faults++;
	} else {
		slot->dummy_in_window |= otherwise_dummy;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
	return may;
}

/* One descriptor's pages, as far as they are in the VMA, which may be a rest. */
static vm_fault_t insert_desc(struct vm_area_struct *vma, pgoff_t pgoff,
			      const struct vring_desc *desc)
{
	unsigned long pfn = PHYS_PFN(desc_address(desc));
	unsigned int n = desc_pages(desc);
	vm_flags_t flags = vma->vm_flags;
	pgoff_t end = vma->vm_pgoff + vma_pages(vma);
	unsigned long address;
	vm_fault_t ret;

	if (!desc_is_writable(desc))
		flags &= ~VM_WRITE;
	for (; n; n--, pgoff++, pfn++) {
		if (pgoff < vma->vm_pgoff || pgoff >= end)
			continue;
		address = vma->vm_start + ((pgoff - vma->vm_pgoff) << PAGE_SHIFT);
		ret = vmf_insert_pfn_prot(vma, address, pfn,
					  vm_get_page_prot(flags));
		if (ret != VM_FAULT_NOPAGE)
			return ret;
	}
	return VM_FAULT_NOPAGE;
}

/* All of the request: its server will touch the rest too. */
static vm_fault_t insert_chain(struct vm_area_struct *vma,
			       const struct vloop_slot *slot)
{
	unsigned int n = slot->readable_descs + slot->writable_descs;
	const struct vring_desc *table = slot->queue->vring.desc;
	pgoff_t pgoff = WINDOW_PGOFF + (pgoff_t)slot->head * SLICE_PAGES;
	unsigned int index = slot->head;
	vm_fault_t ret = VM_FAULT_NOPAGE;

	for (; n && ret == VM_FAULT_NOPAGE; n--) {
		ret = insert_desc(vma, pgoff, &table[index]);
		pgoff += desc_pages(&table[index]);
		index = desc_next(&table[index]);
	}
	return ret;
}

static vm_fault_t vloop_window_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	const struct vloop_queue_file *qf = vma->vm_file->private_data;
	struct vloop_queue *queue = qf->queue;
	struct vloop_window *window = queue->window;
	pgoff_t page = vmf->pgoff - WINDOW_PGOFF;
	unsigned int head = page / SLICE_PAGES, noreclaim;
	bool by_call = !(vmf->flags & FAULT_FLAG_USER);
	struct vloop_slot *slot;
	vm_fault_t ret;

	/* What was mapped is no larger; VMAs do not grow. */
	if (head >= queue->size)
		return VM_FAULT_SIGBUS;
	slot = &queue->slots[array_index_nospec(head, queue->size)];

	/*
	 * Whoever waits for the lock may be needed to free memory: a page table
	 * comes from the reserves, or the fault is tried again.
	 */
	noreclaim = memalloc_noreclaim_save();
	down_read(&window->lock);
	if (may_show(qf, slot, page % SLICE_PAGES, !by_call))
		ret = insert_chain(vma, slot);
	else if (by_call)
		ret = VM_FAULT_SIGBUS;
	else
		ret = vmf_insert_pfn_prot(vma, vmf->address,
					  page_to_pfn(window->dummy),
					  vm_get_page_prot(vma->vm_flags));
	up_read(&window->lock);
	memalloc_noreclaim_restore(noreclaim);
	return ret;
}

/* A page that is mapped read-only is one that the device may only read. */
static vm_fault_t vloop_window_mkwrite(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

/* Which pages are writable is not the server's to say. */
static int vloop_window_mprotect(struct vm_area_struct *vma,
				 unsigned long start, unsigned long end,
				 unsigned long newflags)
{
	return -EACCES;
}

static const struct vm_operations_struct vloop_window_ops = {
	.fault = vloop_window_fault,
	.pfn_mkwrite = vloop_window_mkwrite,
	.mprotect = vloop_window_mprotect,
};

static int mmap_descs(struct vloop_window *window, struct vm_area_struct *vma)
{
	struct page *page = virt_to_page(window->descs);
	unsigned long address = vma->vm_start;
	int err = 0;

	if (vma->vm_end - vma->vm_start != window->descs_size)
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	for (; address < vma->vm_end && !err; address += PAGE_SIZE)
		err = vm_insert_page(vma, address, page++);
	return err;
}

/*
 * A private mapping would copy pages, and a child of the server is not the
 * server.  Nothing here is pinned, dumped, or read by a debugger.
 */
static int mmap_window(struct vloop_queue *queue, struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != window_size(queue) ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYEXEC);
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP |
		     VM_DONTCOPY);
	vma->vm_ops = &vloop_window_ops;
	return 0;
}

/*
 * The caller's own rights count too: a server that means to drop them maps
 * first, and none can lend them by passing a descriptor on.
 */
int vloop_window_mmap(struct vloop_queue *queue, struct vm_area_struct *vma)
{
	if (!queue->window)
		return -EINVAL;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	switch ((u64)vma->vm_pgoff << PAGE_SHIFT) {
	case VLOOP_MMAP_DESCS:
		return mmap_descs(queue->window, vma);
	case VLOOP_MMAP_WINDOW:
		return mmap_window(queue, vma);
	default:
		return -EINVAL;
	}
}
