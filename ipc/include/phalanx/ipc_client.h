/**
 * @file
 * Calls between processes of one host: the client. The server is ipc_server.h.
 *
 * phx_ipc_connect() maps rings that the server made (sealed memory, no names in /dev/shm). From
 * then on calls, one-way posts and events pass through them without a system call, unless a side
 * sleeps and has to be woken. The library has no threads of its own; it needs libc only.
 *
 * Handles are numbers with a generation: a stale one is told, not crashed on. Every call in flight
 * and everything pinned (a reply, an event) holds a reference to its handle; phx_ipc_disconnect()
 * returns at once and is complete when the last reference goes.
 *
 * A server that goes away is told by PHX_DISCONNECTED, promptly: connect anew. Nothing is sent
 * twice.
 *
 * Sizes are bytes; times are milliseconds unless their name says otherwise; a timeout < 0 waits for
 * ever and 0 does not wait.
 */
#ifndef PHALANX_IPC_CLIENT_H
#define PHALANX_IPC_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ipc_item.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Requests of one connection that may wait for their reply at the same time. */
#define PHX_IPC_OUTSTANDING_MAX 64
/** Pieces of one message. */
#define PHX_IPC_PARTS_MAX 1024

/** A connection to a service, from phx_ipc_connect(). 0 never is one. */
typedef uint64_t phx_ipc_handle;

/** How a thread of this handle waits for a reply, an event or room. */
typedef enum phx_ipc_wait {
  PHX_IPC_ADAPTIVE = 0, /**< Look again for spin_us, yielding a shared processor, then sleep. */
  PHX_IPC_POLL = 1,     /**< Never sleep and never yield: for a processor of one's own. */
  PHX_IPC_SLEEP = 2     /**< Sleep at once. */
} phx_ipc_wait;

/** How to connect. Zero every field that you do not set: 0 and NULL mean the default. The server's
 * quotas bound the sizes; rings are rounded up to powers of two from 4 KiB to 64 MiB. */
typedef struct phx_ipc_options {
  size_t struct_bytes;           /**< sizeof(phx_ipc_options). */
  const char* runtime_directory; /**< Where names are looked up. Default: PHX_RUNTIME_DIR, else. */
  const char* program;           /**< Shown to the server. Default: the program's name. */
  size_t request_ring_bytes;     /**< Default 256 KiB. */
  size_t response_ring_bytes;    /**< Default 256 KiB. */
  size_t dispatch_ring_bytes;    /**< Default 256 KiB: how far this client may lag. */
  size_t message_bytes_max;      /**< Largest request, reply or event. Default 64 KiB, 16 MiB. */
  size_t buffer_bytes;           /**< For zero-copy buffers. Default 0: none. */
  unsigned outstanding_max;      /**< Default and most: PHX_IPC_OUTSTANDING_MAX. */
  int connect_timeout_ms;        /**< Default 5000. */
  /** Of PHX_IPC_ADAPTIVE. Default 30; < 0: 0. To make ready for sleep interrupts the other side (2
   * us, in some virtual machines 100): after it, twice what it took passes before the next time. */
  int spin_us;
  phx_ipc_wait wait;
  int broadcast;        /**< Non-zero: map the server's broadcast log as well, if it has one. */
  const char* instance; /**< The folder of the runtime directory that names are in. Default "ipc"; a
                             Phalanx has its own services in that of its instance. */
  int own_server; /**< Non-zero: believe nobody but root's servers and this user's, wherever they
                     listen. A path, and a directory that is this user's, is believed otherwise. */
} phx_ipc_options;

/**
 * Connect to a service of a server.
 *
 * @param name    The server's name (letters, digits, '.', '-', '_'; at most 64), looked up in the
 *                runtime directory; or a path with a '/' in it.
 * @param service Which of its services.
 * @param options May be NULL.
 * @param handle  Written only when PHX_OK.
 *
 * @retval PHX_OK            Connected.
 * @retval PHX_NOT_RUNNING   Nobody listens there.
 * @retval PHX_TRY_AGAIN     It listens, but did not answer in time, or its service is not
 * available.
 * @retval PHX_ACCESS        This user may not connect, or the socket belongs to a stranger.
 * @retval PHX_NOT_SUPPORTED The server has no such service.
 * @retval PHX_LIMIT         The server has too many clients, or this process too many handles.
 * @retval PHX_VERSION       It speaks another version, or is no such server.
 * @retval PHX_BAD_NAME      The name is empty, too long, or has other characters.
 * @retval PHX_INVALID       A NULL name or handle, or a wrong struct_bytes.
 * @retval PHX_NO_MEMORY     No memory, address space or descriptors.
 * @par Thread safety
 * Any thread.
 * @par Cost
 * Maps the rings: some 100 us; 2 descriptors.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_connect(const char* name, uint32_t service,
                                   const phx_ipc_options* options, phx_ipc_handle* handle);

/**
 * Take the descriptor that the server has for each client, if it has one. What it is of is between
 * the two; do not trust its size or seals unseen.
 *
 * @param fd Written when PHX_OK: yours to close.
 * @retval PHX_OK         Taken.
 * @retval PHX_NOT_FOUND  The server has none, or it was taken before.
 * @retval PHX_INVALID    NULL.
 * @retval PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_call().
 * @par Thread safety
 * Any thread.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_attachment(phx_ipc_handle handle, int* fd);

/**
 * Disconnect. Calls in flight in other threads return PHX_BAD_HANDLE. Pinned replies and events
 * stay readable until they are given back; the server sees the end when the last of them is.
 *
 * @retval PHX_OK         Under way, and complete when no reference is left.
 * @retval PHX_BAD_HANDLE Disconnected already, or never connected.
 * @retval PHX_FORKED     Made before fork().
 * @par Thread safety
 * Any thread, also between get and put of another one.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_disconnect(phx_ipc_handle handle);

/**
 * Send a request and wait for its reply, which is copied out.
 *
 * The server begins a call once the response ring has room for the largest reply it allows: with
 * the default sizes about three calls of 64 KiB replies are in progress at a time, and others wait.
 *
 * Any number of threads up to options->outstanding_max may do so on one handle; replies may come in
 * any order.
 *
 * @param id          Which handler of the service.
 * @param reply       Where the reply goes. May be NULL when @p reply_size is 0.
 * @param reply_bytes The reply's length when PHX_OK. May be NULL.
 *
 * @retval PHX_OK            Answered.
 * @retval PHX_TIMED_OUT     The request was not taken, or not answered, in time; it may still be
 *                           carried out. A reply that comes later is thrown away.
 * @retval PHX_TRY_AGAIN     The server is not willing now, or outstanding_max requests wait
 * already.
 * @retval PHX_NOT_SUPPORTED The service has no such handler.
 * @retval PHX_TOO_BIG       The request or reply_size is over options->message_bytes_max.
 * @retval PHX_DISCONNECTED  The server is gone: whether it did the work is not known.
 * @retval PHX_EVICTED       The server cut this client off because it read events too slowly.
 * @retval PHX_BROKEN        The server wrote rubbish into the rings.
 * @retval PHX_INVALID       NULL where there are bytes, or too many parts.
 * @retval PHX_BAD_HANDLE    Disconnected (also meanwhile).
 * @retval PHX_FORKED        Made before fork().
 * Any other status is what the server refused the request with (phx_ipc_refuse()).
 * @par Thread safety
 * Any thread. Not safe in a signal handler.
 * @par Cost
 * Two copies and no system call while both sides are awake.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_call(phx_ipc_handle handle, uint32_t id, const void* request,
                                size_t request_bytes, void* reply, size_t reply_size,
                                size_t* reply_bytes, int timeout_ms);

/** As phx_ipc_call(), from and into pieces. The reply fills @p reply one piece after the other.
 * @since 0.1 */
PHX_API phx_status phx_ipc_callv(phx_ipc_handle handle, uint32_t id, const struct iovec* request,
                                 size_t request_parts, const struct iovec* reply,
                                 size_t reply_parts, size_t* reply_bytes, int timeout_ms);

/** A reply that lies pinned in the response ring. */
typedef struct phx_ipc_reply {
  const void* data; /**< 8-byte aligned. Valid until phx_ipc_reply_release(). Do not write. */
  size_t bytes;
  uint64_t pin; /**< The library's. */
} phx_ipc_reply;

/**
 * As phx_ipc_call(), but the reply is left in place. Give it back with phx_ipc_reply_release():
 * what is pinned keeps the ring from being used again behind it, whoever the later replies are for.
 *
 * @param reply_bytes_max What the reply may have at most: 0 means options->message_bytes_max.
 * @param reply           Written when PHX_OK.
 * @par Cost
 * One copy, and none of the reply.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_call_pinned(phx_ipc_handle handle, uint32_t id,
                                       const struct iovec* request, size_t request_parts,
                                       size_t reply_bytes_max, phx_ipc_reply* reply,
                                       int timeout_ms);

/**
 * Give a pinned reply back, in any order, from any thread, also after phx_ipc_disconnect().
 *
 * @retval PHX_OK         Given back; @p reply is cleared.
 * @retval PHX_NOT_PINNED It is not pinned: given back before, or never got.
 * @retval PHX_INVALID    NULL.
 * @retval PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_call().
 * @since 0.1
 */
PHX_API phx_status phx_ipc_reply_release(phx_ipc_handle handle, phx_ipc_reply* reply);

/**
 * Send a message that has no reply. PHX_OK means that it is in the ring, in order behind what this
 * thread sent before.
 *
 * @param timeout_ms How long to wait for room in the request ring. The server's wake ends the wait.
 *
 * @retval PHX_OK        Accepted.
 * @retval PHX_TRY_AGAIN No room (timeout_ms 0), or outstanding_max threads wait already.
 * @retval PHX_TIMED_OUT No room in time.
 * @retval PHX_TOO_BIG, PHX_DISCONNECTED, PHX_EVICTED, PHX_BROKEN, PHX_INVALID, PHX_BAD_HANDLE,
 *         PHX_FORKED as phx_ipc_call().
 * @par Cost
 * One copy and one fenced store.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_post(phx_ipc_handle handle, uint32_t id, const struct iovec* parts,
                                size_t part_count, int timeout_ms);

/**
 * Send several messages without replies, each as phx_ipc_post() would, with one lock and one fenced
 * store for all. Does not wait: @p accepted says how many were taken when it is PHX_TRY_AGAIN.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_post_batch(phx_ipc_handle handle, const phx_ipc_item* items,
                                      size_t count, size_t* accepted);

/** Messages of one phx_ipc_reserve(). */
#define PHX_IPC_RESERVED_MAX 256

/** Room for one message in the request ring. */
typedef struct phx_ipc_room {
  uint32_t id;
  size_t bytes; /**< To reserve: how much is needed at most. To commit: how much of it was used. */
  void* data;   /**< Written by phx_ipc_reserve(); 8-byte aligned, in one piece. */
} phx_ipc_room;

/**
 * Take room for several messages without replies in the request ring, to build them in place: no
 * byte is copied. phx_ipc_commit() sends all with one store, and is due soon: until then nothing
 * that other threads send on this handle goes out, and this thread sends nothing else (PHX_PINNED).
 *
 * @param rooms      id and bytes are read; data is written. A room may be written to until it is
 *                   committed, also after phx_ipc_disconnect().
 * @param count      1 to PHX_IPC_RESERVED_MAX.
 * @param reserved   How many there is room for now, at least 1; written when PHX_OK.
 * @param timeout_ms How long to wait for room for one.
 *
 * @retval PHX_OK           Commit the first @p reserved of them.
 * @retval PHX_PINNED       This thread has not committed what it reserved before.
 * @retval PHX_WRONG_THREAD Another thread has not.
 * @retval PHX_TOO_BIG      One is over options->message_bytes_max. None is reserved.
 * @retval PHX_INVALID      NULL, or a wrong count. Others as phx_ipc_post().
 * @par Cost
 * Some stores a message, whatever its size.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_reserve(phx_ipc_handle handle, phx_ipc_room* rooms, size_t count,
                                   size_t* reserved, int timeout_ms);

/**
 * Send what this thread reserved, in the order of its rooms.
 *
 * @param rooms As phx_ipc_reserve() gave them, with bytes lowered where less was used. NULL: all as
 *              they were reserved, and @p count is ignored.
 *
 * @retval PHX_OK           Accepted, as by phx_ipc_post().
 * @retval PHX_NOT_PINNED   Nothing is reserved.
 * @retval PHX_WRONG_THREAD Another thread reserved it.
 * @retval PHX_INVALID      A count that was not reserved. It still is reserved.
 * @retval PHX_TOO_BIG      More bytes than were reserved. It still is reserved.
 * @retval PHX_DISCONNECTED, PHX_EVICTED, PHX_BROKEN, PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_call():
 *                          given back, and not sent.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_commit(phx_ipc_handle handle, const phx_ipc_room* rooms, size_t count);

/** An event that lies pinned in the dispatch ring. */
typedef struct phx_ipc_event {
  uint32_t id;      /**< The server's word for what it is. */
  const void* data; /**< 8-byte aligned, in one piece. Valid until phx_ipc_put(). Do not write. */
  size_t bytes;
} phx_ipc_event;

/**
 * The descriptor of the dispatch channel: readable when phx_ipc_get() is worth calling. Watch it
 * for input only, never read it; the library closes it.
 *
 * Call phx_ipc_get() without waiting until it says PHX_TRY_AGAIN: only then is the descriptor
 * quiet.
 * @retval PHX_OK, PHX_INVALID, PHX_BAD_HANDLE, PHX_FORKED. @since 0.1
 */
PHX_API phx_status phx_ipc_fd(phx_ipc_handle handle, int* fd);

/**
 * Pin the next event in place. One thread at a time dispatches: the one that got an event puts it
 * back, and until then no other one may get.
 *
 * While events come one after another, a call that may wait lets them gather for up to 10 us.
 *
 * With options->broadcast, what the server broadcasts comes here too, in place in the log that all
 * readers share; there is no order between it and what is sent to this client alone.
 *
 * @param timeout_ms < 0 waits without a descriptor until there is one.
 *
 * @retval PHX_OK           Pinned; give it back with phx_ipc_put().
 * @retval PHX_TRY_AGAIN    None (timeout_ms 0).
 * @retval PHX_TIMED_OUT    None in time.
 * @retval PHX_PINNED       This thread has not put the one before.
 * @retval PHX_WRONG_THREAD Another thread dispatches.
 * @retval PHX_DISCONNECTED The server is gone, and all its events were got.
 * @retval PHX_EVICTED      Likewise: it cut this client off.
 * @retval PHX_BROKEN, PHX_INVALID, PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_call().
 * @since 0.1
 */
PHX_API phx_status phx_ipc_get(phx_ipc_handle handle, phx_ipc_event* event, int timeout_ms);

/**
 * As phx_ipc_get(), but pins as many events as there are, up to @p most; one phx_ipc_put() gives
 * all of them back.
 * @param count How many; written when PHX_OK.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_get_batch(phx_ipc_handle handle, phx_ipc_event* events, size_t most,
                                     size_t* count, int timeout_ms);

/**
 * Give what is pinned back, also after phx_ipc_disconnect().
 * @retval PHX_OK           Its space is the server's again, with the next quarter of the ring.
 * @retval PHX_EVICTED      Given back; it was of the broadcast log, and the server cut this client
 *                          off: it may have been written over while it was read.
 * @retval PHX_NOT_PINNED   Put without get.
 * @retval PHX_WRONG_THREAD Another thread got it.
 * @retval PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_call().
 * @since 0.1
 */
PHX_API phx_status phx_ipc_put(phx_ipc_handle handle);

/** How full the rings are, as seen now, and what the server says about it. */
typedef struct phx_ipc_flow {
  size_t request_ring_bytes;
  size_t request_queued_bytes; /**< Accepted, and not handled by the server. */
  size_t dispatch_ring_bytes;
  size_t
      dispatch_queued_bytes; /**< Not put back. Near the ring size: eviction or waiting is near. */
  size_t broadcast_ring_bytes;   /**< 0: it does not read the broadcast log. */
  size_t broadcast_queued_bytes; /**< As dispatch_queued_bytes. */
  unsigned outstanding;          /**< Requests that wait for a reply. */
  int flow_control;              /**< Non-zero: the server holds events back until there is room. */
} phx_ipc_flow;

/** Tell how full the rings are. Any thread.
 * @retval PHX_OK, PHX_INVALID, PHX_DISCONNECTED, PHX_BAD_HANDLE, PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_flow_state(phx_ipc_handle handle, phx_ipc_flow* flow);

#ifdef __cplusplus
}
#endif

#include "ipc_buffer.h"

#endif
