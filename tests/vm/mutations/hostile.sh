# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For each way in which a hostile process is held off, the module without it, and the case that shows the difference. Read
# by run: see together.sh. MUTANT is what says that a mutation is alive; & is what was matched.

# ---- numbers ----
hostile 'a transfer over the status byte is noticed' \
  ranges_of_an_operation 'a transfer over the status byte' \
  operation.c 's/return end + status > slot->writable/return !MUTANT \&\& (end + status > slot->writable)/'
hostile 'a copy of more than there is is noticed' \
  ranges_of_an_operation 'a copy of more than the readable bytes' \
  operation.c 's/return end > slot->readable/return (!MUTANT || !op_copies(op)) \&\& (end > slot->readable)/'
hostile 'a copy whose end wraps is noticed' \
  ranges_of_an_operation 'copied bytes by wrapping' \
  operation.c 's/op->skip > S32_MAX/(!MUTANT \&\& &)/
    s/^\tu64 end = (u64)op->skip + op->length;/\tu64 end = MUTANT \&\& op_copies(op) ? op->skip + op->length : (u64)op->skip + op->length;/'
hostile 'a transfer that leaves a hole is noticed' \
  ranges_of_an_operation 'a hole before the data' \
  operation.c 's/op->skip > slot->filled/!MUTANT \&\& (&)/'
hostile 'a file offset that wraps is noticed' \
  ranges_of_an_operation 'a file offset beyond 2^63' \
  operation.c 's/op->offset > S64_MAX - op->length/!MUTANT \&\& (&)/'
hostile 'a copy of any length is noticed' \
  ranges_of_an_operation 'a copy of more than the maximum' \
  operation.c 's/op_copies(op) && op->length > VLOOP_COPY_MAX/!MUTANT \&\& &/'
hostile 'a head beyond the ring is noticed' \
  heads_and_files_that_are_not_there 'a head that the queue does not have' \
  operation.c 's/op->head >= queue->size/!MUTANT \&\& (&)/'
hostile 'a file beyond the table is noticed' \
  heads_and_files_that_are_not_there 'a file that the table does not have' \
  file_table.c 's/^\tif (index >= VLOOP_FILES_MAX)/\tif (!MUTANT \&\& index >= VLOOP_FILES_MAX)/'
hostile 'a queue beyond those of the device is noticed' \
  calls_on_a_device 'a queue that is not there' \
  queue_file.c 's/arg.index >= vd->num_queues/(!MUTANT \&\& &)/'
hostile 'an entry beyond the table of files is noticed' \
  calls_on_a_device 'an entry that the table does not have' \
  file_table.c 's/arg.index >= VLOOP_FILES_MAX/(!MUTANT \&\& &)/'
hostile 'a ring of any size is noticed' \
  numbers_of_a_new_device 'a ring of an impossible size' \
  device.c 's/!is_power_of_2(config->size)/(!MUTANT \&\& &)/'
hostile 'a mapping of two pages is noticed' \
  offsets_of_mappings 'two pages' \
  queue_file.c 's/vma->vm_end - vma->vm_start != PAGE_SIZE/!MUTANT \&\& &/'
hostile 'a read behind the config space is noticed' \
  reads_behind_the_config_space 'what is read behind the config space' \
  config.c 's/^\t\tthere = min(len, end - offset);/\t\tthere = MUTANT ? len : min(len, end - offset);/;
    s/^\tif (offset < end)/\tif (MUTANT || offset < end)/'

# ---- what is read twice ----
hostile 'an operation that is read a second time after its check is noticed' \
  an_operation_is_read_once 'reads of word' \
  operation.c 's/^\tint err = op_check(op);/\tint err = op_check(op);\n\n\tif (MUTANT \&\& !err)\n\t\terr = copy_from_user((void *)op, (void __user *)task_pt_regs(current)->si, sizeof(*op)) ? -EFAULT : 0;/'
hostile 'a config space that is read a second time after its check is noticed' \
  arguments_are_read_once 'the config space of CREATE' \
  device.c 's/^\t\terr = vloop_check_class(vd);/&\n\tif (MUTANT \&\& !err)\n\t\terr = copy_from_user(vd->config.data, u64_to_user_ptr(arg->config), arg->config_len) ? -EFAULT : 0;/'

# ---- who answers a request, and how often ----
hostile 'a second answer is noticed' \
  a_request_is_completed_once 'a second answer' \
  operation.c 's/slot->state == VLOOP_SLOT_FREE ||$/(!MUTANT \&\& slot->state == VLOOP_SLOT_FREE) ||/'
hostile 'an answer to what was not fetched is noticed' \
  a_request_that_was_not_fetched_cannot_be_answered 'an answer to what was not fetched' \
  operation.c 's/slot->state == VLOOP_SLOT_FREE) ||$/!MUTANT \&\& &/'
hostile 'an answer beside another is noticed' \
  a_request_is_completed_once 'an answer before the DONE was read' \
  operation.c 's/slot->state == VLOOP_SLOT_BUSY || slot->done_unread ||/slot->state == VLOOP_SLOT_BUSY || (!MUTANT \&\& slot->done_unread) ||/'
hostile 'an answer to an earlier use of a head is noticed' \
  an_answer_from_before_a_reset_is_refused 'an answer to the old request' \
  operation.c 's/slot->seq != op->seq)/(!MUTANT \&\& slot->seq != op->seq))/'

# ---- reads that end without their records ----
# An io_uring waits by poll, and takes nothing along when it is cancelled: no line of the module is there for that alone.
hostile 'a reader that is not woken is noticed' \
  polls_that_are_cancelled_lose_no_request 'a disk that is live' \
  ring.c 's/^\t\t\tallow_kicks(queue);/\t\t\tif (!MUTANT)\n\t\t\t\tallow_kicks(queue);/'
hostile 'a request that an interrupted read took along is noticed' \
  reads_that_are_interrupted_lose_no_request "the user's transfers go on" \
  queue_file.c 's/^\t\tif (err) {/\t\tif (MUTANT \&\& signal_pending(current)) {\n\t\t\tstruct vloop_record lost;\n\n\t\t\tvloop_queue_fetch(qf, \&lost, 1);\n\t\t\treturn -EINTR;\n\t\t}\n&/'
hostile 'a request that a failed read took along is noticed' \
  a_read_into_missing_memory_loses_no_request 'memory: -EAGAIN' \
  ring.c 's/^\t\t\tunfetch_request(queue, &records\[n\]);/\t\t\tif (!MUTANT)\n\t&/'

# ---- who follows ----
hostile 'a sync that failed and is tried by the next server is noticed' \
  a_sync_that_failed_is_not_tried_again 'what waits for a disk ends' \
  ring.c 's/^\tanswer |= slot->sync_failed;/\tanswer |= !MUTANT \&\& slot->sync_failed;/'

# ---- maps ----
hostile 'a page that mprotect makes writable is noticed' \
  mappings_stay_read_only 'mprotect for writing' \
  queue_file.c 's/^\tvm_flags_clear(vma/\tif (!MUTANT)\n\t&/'
hostile 'a page that is mapped for writing is noticed' \
  mappings_that_ask_for_more_are_refused 'a writable mapping' \
  queue_file.c 's/vma->vm_flags & (VM_WRITE | VM_EXEC)/!MUTANT \&\& (&)/'
hostile 'a mapping that grows is noticed' \
  mappings_cannot_be_stretched 'mremap to two pages' \
  queue_file.c 's/VM_DONTEXPAND | VM_DONTDUMP/(MUTANT ? 0 : VM_DONTEXPAND) | VM_DONTDUMP/'

# ---- ids and devices of others ----
hostile 'a class that nobody checks is noticed' \
  unknown_classes_are_refused 'a class that is not on the list' \
  class.c 's/^\t\treturn -EPERM;/\t\treturn MUTANT ? 0 : -EPERM;/'
hostile 'another user who decides is noticed' \
  other_users_may_not_decide 'ATTACH by another user' \
  attach.c 's/^\tif (!may_decide(control, vd))/\tif (!MUTANT \&\& !may_decide(control, vd))/'
hostile 'two servers at a time are noticed' \
  one_of_many_attaches_wins 'attaches that won' \
  attach.c '/^\tif (vloop_server(vd))$/{N;s/if (vloop_server(vd))\n\t\treturn -EBUSY/if (!MUTANT \&\& vloop_server(vd))\n\t\treturn -EBUSY/}'
hostile 'an old descriptor that still works is noticed' \
  an_old_server_cannot_touch_the_next_ones_requests 'an old descriptor' \
  vloop.h 's/return READ_ONCE(qf->queue->opened) != qf;/return !MUTANT \&\& READ_ONCE(qf->queue->opened) != qf;/'
hostile 'a queue that is opened after the end of its session is noticed' \
  an_old_server_cannot_touch_the_next_ones_requests 'an old descriptor' \
  device_file.c 's/^\tif (READ_ONCE(session->over))$/\tif (!MUTANT \&\& READ_ONCE(session->over))/' \
  ring.c 's/^\tif (READ_ONCE(qf->session->over)) {/\tif (!MUTANT \&\& READ_ONCE(qf->session->over)) {/'

# ---- files ----
hostile 'a pipe as a backing file is noticed' \
  what_is_no_backing_is_refused 'a pipe for reading' \
  file_table.c 's/!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode)/!MUTANT \&\& &/'
hostile 'a file that is only appended to is noticed' \
  what_is_no_backing_is_refused 'a file that is only appended to' \
  file_table.c 's/file->f_flags & O_APPEND/!MUTANT \&\& (&)/'
hostile 'a file that is appended to later is noticed' \
  a_file_that_is_appended_to_later_keeps_its_size "the file's size" \
  operation.c 's/iocb->ki_flags &= ~IOCB_APPEND;/iocb->ki_flags \&= MUTANT ? ~0 : ~IOCB_APPEND;/'
hostile 'a write to a file opened for reading is noticed' \
  files_are_used_as_they_were_opened 'writing to a file opened for reading' \
  operation.c 's/ret = vloop_iocb_iter_write(file, iocb, &slot->iter);/ret = MUTANT ? file->f_op->write_iter(iocb, \&slot->iter) : vloop_iocb_iter_write(file, iocb, \&slot->iter);/'
hostile 'a read of a file opened for writing is noticed' \
  files_are_used_as_they_were_opened 'reading a file opened for writing' \
  operation.c 's/ret = vfs_iocb_iter_read(file, iocb, &slot->iter);/ret = MUTANT ? file->f_op->read_iter(iocb, \&slot->iter) : vfs_iocb_iter_read(file, iocb, \&slot->iter);/'
hostile 'a file that ends too early and passes for whole is noticed' \
  a_file_that_ends_too_early_fails_the_read "the user's read" \
  operation.c 's/bool ok = result == 0 && slot->moved == slot->op.length;/bool ok = result == 0 \&\& (MUTANT || slot->moved == slot->op.length);/'
hostile 'a file that shrinks and passes for whole is noticed' \
  a_file_that_shrinks_under_transfers_gives_data_or_errors "a read that succeeded has the file's data" \
  operation.c 's/slot->moved == slot->op.length);/MUTANT || &/'
hostile 'the disk as its own backing is noticed' \
  a_file_on_the_own_disk_is_refused 'a file on the own disk' \
  file_table.c 's/vf && leads_back(session->device, vf->file)/!MUTANT \&\& &/'
hostile 'two disks that are tied to each other at once are noticed' \
  two_that_tie_at_once_make_no_loop 'how many of the two were taken' \
  file_table.c 's/^\tmutex_lock(&vloop_ties_lock);/\tif (!MUTANT)\n\t&/; s/^\tmutex_unlock(&vloop_ties_lock);/\tif (!MUTANT)\n\t&/'

# ---- rights ----
hostile 'a transfer with the rights of a worker is noticed' \
  a_write_takes_set_user_id_away 'takes set-user-id away' \
  operation.c 's/^\tconst struct cred \*own = override_creds(rights);/\tconst struct cred *own = override_creds(MUTANT ? current_cred() : rights);/'
hostile 'a program of root that operates for another is noticed' \
  a_program_of_root_cannot_be_made_to_operate 'a program of root may not operate' \
  queue_file.c 's/!may_operate(iocb->ki_filp)/!MUTANT \&\& &/'
hostile 'memory that nobody is charged for is noticed' \
  a_user_cannot_lock_more_memory_than_the_limit 'rings that are larger than the limit' \
  charge.c 's/before + pages > limit/!MUTANT \&\& &/'

# ---- the end of the server ----
# That reads parked in an io_uring don't keep a dead server has several reasons, each of which is enough.
hostile 'a device that ends with a child of its server is noticed' \
  a_child_that_closes_its_copies_ends_nothing 'a read of a queue: 0 instead of' \
  session.c 's/READ_ONCE(session->over) || !server_is_dead(session)/READ_ONCE(session->over) || (!MUTANT \&\& !server_is_dead(session))/'
hostile 'a device that a child keeps is noticed' \
  a_child_that_inherited_everything_keeps_nothing "the child's read finds the end" \
  session.c 's/^\treturn dead;/\treturn !MUTANT \&\& dead;/'
hostile 'a dead server that cannot close anything is noticed' \
  a_process_that_waits_for_its_own_disk_can_be_killed 'the end of a killed process' \
  session.c 's/^\tarm(vd, &vd->watch, VLOOP_WATCH_INTERVAL);/\tif (!MUTANT)\n\t&/'

# ---- lengths that lie ----
hostile 'old memory in a read is noticed' \
  what_an_answer_did_not_fill_reads_as_zeros 'what was not filled is zero' \
  operation.c 's/^\tif (slot->filled < data)/\tif (!MUTANT \&\& slot->filled < data)/'
hostile 'a disk whose server may die with success is noticed' \
  queues_must_answer_as_their_class_needs 'a disk that answers with success when its server is dead' \
  class.c 's/^\t\tif (vd->queues\[i\].death_status == VIRTIO_BLK_S_OK)/\t\tif (!MUTANT \&\& vd->queues[i].death_status == VIRTIO_BLK_S_OK)/'
hostile 'old memory in a failed read is noticed' \
  what_a_failed_or_bare_answer_did_not_fill_reads_as_zeros 'is zero' \
  operation.c 's/slot->filled < data)/!(MUTANT \&\& !(ok \&\& has_status)) \&\& &/'
hostile 'a used length beyond what was filled is noticed' \
  a_short_answer_shows_no_old_memory "the first answer's bytes come once" \
  operation.c '/^\tif (!has_status)/{n;s/return slot->filled;/return MUTANT ? slot->writable : slot->filled;/}'
hostile 'an empty answer of entropy is noticed' \
  entropy_is_never_answered_with_nothing 'the DONE of an empty answer' \
  class.c 's/^\t\treturn length;/\t\treturn MUTANT || length;/'
hostile 'events of before from a drained queue are noticed' \
  a_queue_that_is_drained_tells_no_event_of_before 'the node has nothing' \
  class.c 's/return length >= slot->writable;/return MUTANT || length >= slot->writable;/'
hostile 'half an event is noticed' \
  a_buffer_without_a_whole_event_is_no_answer 'its DONE' \
  class.c 's/|| length >= slot->writable;/|| (MUTANT \&\& length) &/'

# ---- what a device says of itself ----
hostile 'seg_max above the ring is noticed' \
  values_that_trip_the_disk_driver_are_refused 'seg_max' \
  class.c 's/!seg_max || seg_max > smallest_queue(vd) - BLK_STATUS_AND_HEADER/!MUTANT \&\& (&)/'
hostile 'a size_max of 1 is noticed' \
  values_that_trip_the_disk_driver_are_refused 'size_max' \
  class.c 's/offers(vd, VIRTIO_BLK_F_SIZE_MAX) && size_max < PAGE_SIZE/!MUTANT \&\& &/'
hostile 'a blk_size of 3 is noticed' \
  values_that_trip_the_disk_driver_are_refused 'blk_size' \
  class.c 's/!is_power_of_2(block) || block < SECTOR_SIZE || block > SZ_4K/!MUTANT \&\& (&)/'
hostile 'a wce of 2 is noticed' \
  values_that_trip_the_disk_driver_are_refused 'wce' \
  class.c 's/vd->features & ~BLK_FEATURES & ~VLOOP_TRANSPORT_FEATURES/& \& (MUTANT ? ~BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) : ~0ULL)/'
hostile 'num_queues of any number is noticed' \
  values_that_trip_the_disk_driver_are_refused 'num_queues' \
  class.c 's/^\tif (offers(vd, VIRTIO_BLK_F_MQ) &&/\tif (!MUTANT \&\& offers(vd, VIRTIO_BLK_F_MQ) \&\&/'
hostile 'a living disk that takes any value is noticed' \
  a_living_disk_cannot_take_values_that_trip_its_driver 'blk_size' \
  class.c 's/^\tif (vd->device_id == VIRTIO_ID_BLOCK && !is_unsafe/\tif (!MUTANT \&\& vd->device_id == VIRTIO_ID_BLOCK \&\& !is_unsafe/'
hostile 'an axis that a driver divides by is noticed' \
  axes_that_trip_the_input_core_are_refused 'a range' \
  class.c 's/range < 0 || range >= S32_MAX || flat < 0 || flat > range/!MUTANT \&\& (&)/'
hostile 'a disk that leaves its requests unanswered is noticed' \
  queues_must_answer_as_their_class_needs 'a disk that leaves its requests' \
  class.c 's/if (!all_queues_have(vd, VLOOP_DEATH_REPLY) ||/if ((!MUTANT \&\& !all_queues_have(vd, VLOOP_DEATH_REPLY)) ||/'
hostile 'events that are drained when their server dies are noticed' \
  an_input_device_must_look_like_one 'events that are drained' \
  class.c '/vd->num_queues != INPUT_QUEUES/{n;s/!all_queues_have/(!MUTANT \&\& &/;s/VLOOP_DEATH_LEAVE)/&)/}'

# ---- the window ----
hostile 'a window for whoever has no right to raw memory is noticed' \
  without_the_right_there_is_no_window 'creating a window' \
  window.c 's/^\treturn file_ns_capable(control, &init_user_ns, CAP_SYS_RAWIO) &&/\treturn (MUTANT || file_ns_capable(control, \&init_user_ns, CAP_SYS_RAWIO)) \&\&/'
hostile 'a window that a passed-on descriptor gives is noticed' \
  without_the_right_there_is_no_window 'a window of a descriptor from before' \
  window.c 's/^\tif (!capable(CAP_SYS_RAWIO))/\tif (!MUTANT \&\& !capable(CAP_SYS_RAWIO))/'
hostile 'a next server that has no right to the window is noticed' \
  without_the_right_there_is_no_window 'ATTACH' \
  attach.c 's/vd->window && !vloop_window_is_allowed(control)/!MUTANT \&\& &/'
hostile 'a window that stays when a request is given back is noticed' \
  a_page_that_is_touched_after_completion_is_a_dummy 'a page that was in flight reads as zero' \
  window.c 's/^\tif (!slot->in_window)/\tif (MUTANT || !slot->in_window)/'
hostile 'memory of the window that was given back and comes in again is noticed' \
  a_page_that_is_touched_after_completion_is_a_dummy 'a page that was in flight reads as zero' \
  window.c 's/^\treturn slot->state == VLOOP_SLOT_FETCHED ||/\treturn MUTANT || slot->state == VLOOP_SLOT_FETCHED ||/'
hostile 'a dummy page that hides a request in the window is noticed' \
  a_dummy_does_not_hide_the_next_request 'the bytes are those written in place' \
  window.c 's/^\t\tif (hidden)/\t\tif (hidden \&\& !MUTANT)/'
hostile 'memory in the window that is written though it is only for reading is noticed' \
  what_the_device_only_reads_cannot_be_written 'a write into it' \
  window.c 's/^\tif (!desc_is_writable(desc))/\tif (!MUTANT \&\& !desc_is_writable(desc))/'
hostile 'memory in the window that a second touch makes writable is noticed' \
  what_the_device_only_reads_cannot_be_written 'a write into it' \
  window.c 's/^\treturn VM_FAULT_SIGBUS;$/\treturn MUTANT ? 0 : VM_FAULT_SIGBUS;/'
hostile 'a window whose protection can be changed is noticed' \
  what_the_device_only_reads_cannot_be_written 'mprotect' \
  window.c 's/^\treturn -EACCES;/\treturn MUTANT ? 0 : -EACCES;/'
hostile 'zeroes that a system call takes from the window are noticed' \
  a_call_with_memory_that_is_not_in_flight_fails 'a write of what was in flight' \
  window.c 's/^\telse if (by_call)/\telse if (!MUTANT \&\& by_call)/'
hostile 'a window of any size is noticed' \
  windows_of_other_sizes_and_places_are_refused 'a window of another size' \
  window.c 's/vma->vm_end - vma->vm_start != window_size(queue)/(!MUTANT \&\& &)/'
hostile 'descriptors of the window that can be written are noticed' \
  windows_of_other_sizes_and_places_are_refused 'writable descriptors' \
  window.c 's/vma->vm_flags & (VM_WRITE | VM_EXEC)/!MUTANT \&\& (&)/'
hostile 'a child that inherits the window is noticed' \
  a_window_is_neither_stretched_nor_inherited 'a touch by a child' \
  window.c 's/^\t\t     VM_DONTCOPY);/\t\t     (MUTANT ? 0 : VM_DONTCOPY));/'
hostile 'a window that stays after a reset is noticed' \
  a_reset_takes_the_window_away 'a write of the buffer that was' \
  ring.c '/wait_event(queue->idle/{n;s/^\tvloop_window_cut(queue);$/\tif (!MUTANT)\n\t\tvloop_window_cut(queue);/}'
hostile 'an old server that keeps the window is noticed' \
  the_next_server_has_the_window_for_itself 'a read into the old window' \
  ring.c '/Before anything is answered; nothing comes in again/{n;s/^\tvloop_window_cut(queue);$/\tif (!MUTANT)\n\t\tvloop_window_cut(queue);/}'
hostile 'an answer that the window outlives is noticed' \
  rules_of_operations_with_a_window 'an answer by a transfer from a file' \
  operation.c 's/^\t\treturn slot->window_pages ? -EINVAL : 0;/\t\treturn !MUTANT \&\& slot->window_pages ? -EINVAL : 0;/'
hostile 'bytes in place of a device without a window are noticed' \
  rules_of_operations_with_a_window 'bytes in place without a window' \
  operation.c 's/^\t\treturn slot->window_pages ? 0 : -EINVAL;/\t\treturn MUTANT || slot->window_pages ? 0 : -EINVAL;/'
# ---- after these the machine is of no use any more ----
hostile 'reads that nobody can interrupt are noticed' \
  a_process_with_threads_in_read_and_poll_can_be_killed 'the end of a killed process' \
  queue_file.c 's/^\t\terr = wait_event_interruptible(queue->readers,/\t\tif (MUTANT)\n\t\t\twait_event(queue->readers, vloop_queue_enable_kicks(qf) || is_at_end(qf));\n&/'
hostile 'a queue that outlives its session is noticed' \
  a_queue_that_is_left_over_keeps_its_memory 'kernel: refcount_t: ' \
  queue_file.c 's/^\tvloop_session_get(session);/\tif (!MUTANT)\n\t&/'
hostile 'a transfer whose file was closed is noticed' \
  a_file_may_be_taken_away_at_any_time 'kernel: refcount_t: ' \
  file_table.c 's/vf && !refcount_inc_not_zero(&vf->users)/vf \&\& !MUTANT \&\& !refcount_inc_not_zero(\&vf->users)/'
