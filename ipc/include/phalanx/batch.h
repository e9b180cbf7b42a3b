/**
 * @file
 * Many messages at a time, and messages that are built where they are sent from. A part of
 * phalanx.h, which includes it.
 *
 * Receiving has a batch of its own: phx_callbacks.messages gets the messages that follow one
 * another, in place, in one call. Views, which come between messages, end a batch.
 */
#ifndef PHALANX_BATCH_H
#define PHALANX_BATCH_H

#include "phalanx.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Messages of one call of phx_callbacks.messages. */
#define PHX_DISPATCHED_MAX 64
/** Messages of one phx_reserve(). */
#define PHX_RESERVED_MAX 256

/**
 * Queue several messages for a group, each as phx_multicast() would, one after the other in this
 * client's order, at less cost a message: one lock and one fenced store for all of them.
 *
 * @param messages One message each; not parts of one.
 * @param count    0 to PHX_PARTS_MAX.
 * @param accepted How many were accepted, from the first on; 0 on every error but PHX_TRY_AGAIN.
 *
 * @retval PHX_OK        All were accepted.
 * @retval PHX_TRY_AGAIN The first @p accepted were; the next one finds no room. Call again with the
 *                       rest after PHX_EVENT_SENDABLE or PHX_EVENT_ATTACHED.
 * @retval PHX_TOO_BIG   One of them is over phx_limit_values.message_bytes_max: none was accepted.
 * @retval PHX_INVALID   NULL messages or accepted, too many, or an unknown guarantee.
 * @retval PHX_NOT_JOINED, PHX_DISCONNECTED, PHX_EVICTED, PHX_PINNED, PHX_BAD_HANDLE as
 *                       phx_multicast().
 * @par Thread safety
 * Any thread; calls on one handle are serialised. Not safe in a signal handler.
 * @par Cost
 * One copy of each message.
 * @since 0.1
 */
PHX_API phx_status phx_multicast_batch(phx_handle handle, phx_group group,
                                       const struct iovec* messages, size_t count,
                                       phx_guarantee guarantee, size_t* accepted);

/** Room for one message in the submit ring. */
typedef struct phx_room {
  size_t bytes; /**< To reserve: how much is needed at most. To commit: how much of it was used. */
  void* data;   /**< Written by phx_reserve(); 8-byte aligned, in one piece. */
} phx_room;

/**
 * Take room for several messages of a group in the submit ring, to build them in place: this
 * library copies none of their bytes. phx_commit() sends all with one store, and is due soon: until
 * then nothing that other threads send on this handle goes out, and this thread sends, joins and
 * leaves nothing (PHX_PINNED).
 *
 * @param rooms     bytes are read; data is written. A room may be written to until it is committed,
 *                  also when the data plane goes meanwhile or the handle is finalised.
 * @param count     1 to PHX_RESERVED_MAX.
 * @param guarantee Of all of them, as of phx_multicast().
 * @param reserved  How many there is room for now, at least 1; written when PHX_OK.
 *
 * @retval PHX_OK           Commit the first @p reserved of them.
 * @retval PHX_TRY_AGAIN    No room for one, or the library is re-attaching: as phx_multicast().
 * @retval PHX_PINNED       This thread has not committed what it reserved before.
 * @retval PHX_WRONG_THREAD Another thread has not.
 * @retval PHX_TOO_BIG      One is over phx_limit_values.message_bytes_max. None is reserved.
 * @retval PHX_INVALID      NULL, a wrong count, or an unknown guarantee.
 * @retval PHX_NOT_JOINED, PHX_DISCONNECTED, PHX_EVICTED, PHX_BAD_HANDLE as phx_multicast().
 * @par Thread safety
 * Any thread; what one thread reserved only it commits. Not safe in a signal handler.
 * @par Cost
 * Some stores a message, whatever its size.
 * @since 0.1
 */
PHX_API phx_status phx_reserve(phx_handle handle, phx_group group, phx_room* rooms, size_t count,
                               phx_guarantee guarantee, size_t* reserved);

/**
 * Send what this thread reserved, in the order of its rooms.
 *
 * @param rooms As phx_reserve() gave them, with bytes lowered where less was used. NULL: all as
 *              they were reserved, and @p count is ignored.
 *
 * @retval PHX_OK           Accepted, as by phx_multicast(): also when another thread has left the
 *                          group meanwhile, for that leave is ordered behind.
 * @retval PHX_NOT_PINNED   Nothing is reserved.
 * @retval PHX_WRONG_THREAD Another thread reserved it.
 * @retval PHX_INVALID      A count that was not reserved. It still is reserved.
 * @retval PHX_TOO_BIG      More bytes than were reserved. It still is reserved.
 * @retval PHX_DISCONNECTED The data plane is gone with the ring that the room was in: given back,
 *                          and not sent. Reserve again, and build again.
 * @retval PHX_EVICTED      Likewise: this client read too slowly.
 * @retval PHX_BAD_HANDLE   Finalised (given back, and not sent), stale, or used after fork(): a
 *                          child has no room of its parent's.
 * @par Thread safety
 * The thread that reserved.
 * @par Cost
 * One fenced store.
 * @since 0.1
 */
PHX_API phx_status phx_commit(phx_handle handle, const phx_room* rooms, size_t count);

#ifdef __cplusplus
}
#endif

#endif
