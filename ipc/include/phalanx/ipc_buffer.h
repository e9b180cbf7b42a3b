/**
 * @file
 * Zero-copy buffers of a connection. A part of ipc_client.h, which includes it.
 *
 * They lie in memory that the server maps too: what is sent is where, not what. Making one takes
 * microseconds; make few, of the sizes that are needed, and use them again.
 */
#ifndef PHALANX_IPC_BUFFER_H
#define PHALANX_IPC_BUFFER_H

#include "ipc_client.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A buffer of one handle, from phx_ipc_buffer_alloc(). 0 never is one. */
typedef uint64_t phx_ipc_buffer;

/** Buffers of one handle at the same time. */
#define PHX_IPC_BUFFERS_MAX 256

/**
 * Take a buffer out of the handle's options->buffer_bytes.
 *
 * @param bytes  At least 1. Not bound by message_bytes_max.
 * @param buffer Written when PHX_OK.
 * @param data   Where it is in this process, 64-byte aligned; its bytes are whatever they were.
 *
 * @retval PHX_OK        Taken.
 * @retval PHX_TOO_BIG   Over the memory for buffers, which is 0 unless asked for, and the server's
 *                       quota.
 * @retval PHX_NO_MEMORY No piece of that size is free.
 * @retval PHX_LIMIT     PHX_IPC_BUFFERS_MAX are taken.
 * @retval PHX_INVALID   NULL, or 0 bytes.
 * @retval PHX_DISCONNECTED, PHX_EVICTED, PHX_BROKEN, PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_call().
 * @par Thread safety
 * Any thread. The bytes are guarded by nobody.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_buffer_alloc(phx_ipc_handle handle, size_t bytes, phx_ipc_buffer* buffer,
                                        void** data);

/**
 * Give a buffer back. Those that are left go with their handle.
 * @retval PHX_OK           Given back.
 * @retval PHX_IN_USE       The server has not handled what was sent from it.
 * @retval PHX_WRONG_BUFFER Freed, never allocated, or of another handle.
 * @retval PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_call(). @since 0.1
 */
PHX_API phx_status phx_ipc_buffer_free(phx_ipc_handle handle, phx_ipc_buffer buffer);

/**
 * As phx_ipc_call(), the request being the first @p bytes of a buffer. Do not write to it before
 * the reply is there.
 *
 * @retval PHX_TOO_BIG      @p bytes is over the buffer's, or reply_size over message_bytes_max.
 * @retval PHX_IN_USE       The server has not handled what was sent from it before.
 * @retval PHX_WRONG_BUFFER As phx_ipc_buffer_free(). Others as phx_ipc_call().
 * @par Cost
 * None of the request's bytes is copied, whatever its size.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_buffer_call(phx_ipc_handle handle, uint32_t id, phx_ipc_buffer buffer,
                                       size_t bytes, void* reply, size_t reply_size,
                                       size_t* reply_bytes, int timeout_ms);

/** As phx_ipc_post(), the message being the first @p bytes of a buffer. It may be written to again
 * when the server has handled the message: phx_ipc_buffer_free() and the next send say PHX_IN_USE
 * until then. Errors as phx_ipc_buffer_call() and phx_ipc_post(). @since 0.1 */
PHX_API phx_status phx_ipc_buffer_post(phx_ipc_handle handle, uint32_t id, phx_ipc_buffer buffer,
                                       size_t bytes, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
