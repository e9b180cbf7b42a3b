/**
 * @file
 * Calls between processes of one host: the server. The client is ipc_client.h.
 *
 * A server offers services; each has a table of handlers. Handlers run in the thread that drives
 * the server: its own loop (phx_ipc_server_run()), a loop of the application's (poll hooks), a turn
 * now and then (phx_ipc_server_turn()), or a thread for each connection (PHX_IPC_THREADS).
 *
 * What a client writes is hostile: the library reads every index and header once and checks it, and
 * cuts off a client that lies; nobody else notices. The bytes that a handler gets lie in memory
 * that the client can still change: copy what you check, or check what you copied.
 *
 * A client that does not read never makes the server wait or grow: its events meet the policy
 * (evict or throttle), its replies are not begun before there is room for them.
 */
#ifndef PHALANX_IPC_SERVER_H
#define PHALANX_IPC_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ipc_item.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes that sending_allowed() may keep for the time of one call. */
#define PHX_IPC_PRIVATE_BYTES 64

/** A server, from phx_ipc_server_create(). */
typedef struct phx_ipc_server phx_ipc_server;

/** A connection of one server. 0 never is one; a stale value is told, not crashed on. */
typedef uint64_t phx_ipc_connection;

/** A request that waits for its reply. 0: a post, which has none. */
typedef uint64_t phx_ipc_request;

/** What a handler gets. Valid until it returns. */
typedef struct phx_ipc_message {
  phx_ipc_connection connection;
  phx_ipc_request request; /**< May be kept and answered later, from any thread. */
  uint32_t service;
  uint32_t id;
  /** 8-byte aligned, in place. The client may change it at any time, and of a zero-copy buffer will
   * once it has the reply. */
  const void* data;
  size_t bytes;
  size_t reply_bytes_max; /**< What the client takes as a reply; 0 for a post. */
  void* private_data;     /**< Of the connection: service->private_bytes. */
} phx_ipc_message;

/** One handler of a service; its place in the table is its id. */
typedef struct phx_ipc_handler {
  void (*handle)(void* context, phx_ipc_server* server, const phx_ipc_message* message);
  int flow_control; /**< Non-zero: sending_allowed() is asked before. */
} phx_ipc_handler;

/** A service. Plain data of the application's that lives as long as the server. */
typedef struct phx_ipc_service {
  uint32_t service;     /**< What clients name in phx_ipc_connect(). */
  size_t private_bytes; /**< Zeroed memory for each connection. */
  const phx_ipc_handler* handlers;
  size_t handler_count;
  /** A client connects. Anything but PHX_OK refuses it with that status. May be NULL. */
  phx_status (*init)(void* context, phx_ipc_server* server, phx_ipc_connection connection,
                     void* private_data);
  /** The last reference to a connection went. May be NULL. */
  void (*exit)(void* context, phx_ipc_server* server, phx_ipc_connection connection,
               void* private_data);
  /** After PHX_TRY_AGAIN of phx_ipc_dispatch(): there is room again. May be NULL. */
  void (*room)(void* context, phx_ipc_server* server, phx_ipc_connection connection,
               void* private_data);
} phx_ipc_service;

/** What an external poll loop calls back: as often as @p fd has one of the events, in the thread
 * that drives the server. */
typedef void (*phx_ipc_ready)(phx_ipc_server* server, int fd, short revents, void* data);

/** Hooks. Any may be NULL. All of them get options->context first. */
typedef struct phx_ipc_hooks {
  /** May this user connect? By the kernel's word. NULL: this process's user and root. */
  int (*security_valid)(void* context, uid_t uid, gid_t gid);
  /** As security_valid, asked in place of it: the connected socket, whose SO_PEERCRED and
   * SO_PEERGROUPS say more than a user and a group. */
  int (*peer_valid)(void* context, int socket);
  /** Does the service take connections now? NULL: always. Else clients get PHX_TRY_AGAIN. */
  int (*service_available)(void* context, uint32_t service);
  /** Around every handler: with both, handlers of all threads run one at a time. */
  void (*serialize_lock)(void* context);
  void (*serialize_unlock)(void* context);
  /** May this message be handled now? 0: a request is refused with PHX_TRY_AGAIN, a post stays in
   * the ring until phx_ipc_server_resume(). private_data is PHX_IPC_PRIVATE_BYTES of zeroes. */
  int (*sending_allowed)(void* context, const phx_ipc_message* message, void* private_data);
  /** After the handler of a message that was allowed. */
  void (*sending_allowed_release)(void* context, void* private_data);
  void* (*malloc)(size_t bytes); /**< Both or none; no context. */
  void (*free)(void* memory);
  /** A line without an end. level: 3 error, 4 warning, 6 information, 7 detail (as syslog). */
  void (*log)(void* context, int level, const char* text);
  /** The server cannot go on (its listener broke). NULL: abort(). */
  void (*fatal_error)(void* context, const char* text);
  /** An external poll loop: all three or none. Level-triggered; events are POLLIN, POLLOUT.
   * poll_add returns 0, or non-zero when it cannot. */
  int (*poll_add)(void* context, int fd, short events, phx_ipc_ready ready, void* data);
  int (*poll_modify)(void* context, int fd, short events);
  void (*poll_destroy)(void* context, int fd);
} phx_ipc_hooks;

/** What happens when the dispatch ring of a client is full. */
typedef enum phx_ipc_policy {
  PHX_IPC_EVICT = 0,   /**< The client is cut off; it may read what is queued, then is told. */
  PHX_IPC_THROTTLE = 1 /**< PHX_TRY_AGAIN, service->room() later; evicted after throttle_max_ms. */
} phx_ipc_policy;

/** Who runs the handlers. */
typedef enum phx_ipc_threading {
  PHX_IPC_LOOP = 0,   /**< The thread that drives the server. */
  PHX_IPC_THREADS = 1 /**< A thread for each connection; concurrent but for the serialize hooks. */
} phx_ipc_threading;

/** Zero every field that you do not set. */
typedef struct phx_ipc_server_options {
  size_t struct_bytes;           /**< sizeof(phx_ipc_server_options). */
  const char* runtime_directory; /**< As in phx_ipc_options; made if it is not there. */
  const phx_ipc_service* services;
  size_t service_count;
  void* context;
  phx_ipc_hooks hooks;
  phx_ipc_policy policy;
  int throttle_max_ms; /**< Default 1000. */
  phx_ipc_threading threading;
  int thread_policy;   /**< Of PHX_IPC_THREADS: SCHED_OTHER, SCHED_RR, ... Default: inherited. */
  int thread_priority; /**< Of SCHED_RR and SCHED_FIFO. */
  int spin_us; /**< How long run() and threads look again before they sleep, as a client's. */
  unsigned socket_mode; /**< Of the socket's file. Default 0666: security_valid() decides. */
  /* Quotas. */
  unsigned clients_max;          /**< Default 64, at most 4096. */
  unsigned clients_per_user_max; /**< Default: clients_max. */
  /** Of clients_max, for root and this process's user alone, whom clients_per_user_max does not
   * bind then. Default 0: all users are alike. */
  unsigned clients_reserved;
  size_t ring_bytes_max;    /**< Of each ring. Default 1 MiB. */
  size_t message_bytes_max; /**< Default 1 MiB, at most 16 MiB. */
  size_t buffer_bytes_max;  /**< Of zero-copy buffers. Default 16 MiB. */
  /** Of the log for phx_ipc_broadcast(): how far its slowest reader may lag. Rounded up to a power
   * of two, at most 64 MiB. Default 0: none. */
  size_t broadcast_bytes;
  /** How many messages of one client are handled before the others, and a loop of somebody else's,
   * have their turn. Default 256. */
  unsigned turn_messages_max;
  /** A listening Unix stream socket that does not block, of the caller's making: no name is taken,
   * nothing is made and nothing removed in the file system. Closed with the server. Default 0:
   * none.
   */
  int listener;
  /** A descriptor that each client gets a copy of (phx_ipc_attachment()): of memory that it may
   * map, for one. Stays the caller's, for as long as the server lives. Default 0: none. */
  int attachment;
} phx_ipc_server_options;

/**
 * Make a server and listen.
 *
 * @param name As in phx_ipc_connect(). NULL with options->listener.
 * @retval PHX_OK        Listening. Without poll hooks, drive it.
 * @retval PHX_EXISTS    Another server has that name, or what lies there is no socket.
 * @retval PHX_ACCESS    The directory is not this user's, or may not be written.
 * @retval PHX_BAD_NAME  As phx_ipc_connect().
 * @retval PHX_INVALID   NULL, a wrong struct_bytes, no services, half a pair of hooks, a name
 * beside a listener, a descriptor that is none.
 * @retval PHX_NO_MEMORY No memory or descriptors.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_server_create(const char* name, const phx_ipc_server_options* options,
                                         phx_ipc_server** server);

/**
 * Disconnect all clients, run their exit functions, and free the server. In the driving thread, not
 * in a handler.
 * @retval PHX_OK     Gone.
 * @retval PHX_IN_USE Some connection is still held (phx_ipc_hold()): nothing is served any more,
 * call it again when they are released.
 * @retval PHX_WRONG_THREAD In a handler.
 * @retval PHX_FORKED In a child of fork(): the server is the parent's. @since 0.1
 */
PHX_API phx_status phx_ipc_server_destroy(phx_ipc_server* server);

/**
 * Handle what waits, without a system call: for a thread that polls. Takes no new clients and does
 * not see a client go; call phx_ipc_server_turn() with timeout 0 every millisecond or so for that.
 * While posts come one after another it waits up to 10 us for some to gather (0.6 us with several
 * clients): to look at the ring after each would hold its sender up.
 * @param handled How many messages; may be NULL.
 * @retval PHX_OK, PHX_NOT_SUPPORTED (PHX_IPC_THREADS), PHX_FORKED. @since 0.1
 */
PHX_API phx_status phx_ipc_server_poll(phx_ipc_server* server, size_t* handled);

/**
 * One turn of the server's own loop: sleep until something happens, at most @p timeout_ms, and
 * handle it. @retval PHX_OK, PHX_TIMED_OUT, PHX_NOT_SUPPORTED (with poll hooks), PHX_FORKED. @since
 * 0.1
 */
PHX_API phx_status phx_ipc_server_turn(phx_ipc_server* server, int timeout_ms);

/** Drive the server until phx_ipc_server_stop(). With options->spin_us of looking before sleeping.
 * @retval PHX_OK, PHX_NOT_SUPPORTED (with poll hooks), PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_server_run(phx_ipc_server* server);

/** End phx_ipc_server_run(). Any thread, also a signal handler. @since 0.1 */
PHX_API void phx_ipc_server_stop(phx_ipc_server* server);

/** A descriptor that is readable when phx_ipc_server_turn() has something to do: a whole server as
 * one descriptor in another loop. @retval PHX_OK, PHX_NOT_SUPPORTED (with poll hooks). @since 0.1
 */
PHX_API phx_status phx_ipc_server_fd(phx_ipc_server* server, int* fd);

/** Look again at posts that sending_allowed() held back. Any thread.
 * @retval PHX_OK, PHX_INVALID (NULL), PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_server_resume(phx_ipc_server* server);

/**
 * Answer a request. Any thread, now or later; once.
 *
 * @retval PHX_OK           In the client's ring.
 * @retval PHX_REPLIED      It has been answered (or refused) before.
 * @retval PHX_TOO_BIG      Over message->reply_bytes_max: the request is still open.
 * @retval PHX_DISCONNECTED The client is gone.
 * @retval PHX_INVALID      NULL parts, too many, or a request that never was.
 * @retval PHX_BAD_HANDLE   Not a connection, or gone for long.
 * @retval PHX_FORKED       In a child of fork().
 * @since 0.1
 */
PHX_API phx_status phx_ipc_reply_send(phx_ipc_server* server, phx_ipc_connection connection,
                                      phx_ipc_request request, const void* data, size_t bytes);
/** As phx_ipc_reply_send(), from pieces. @since 0.1 */
PHX_API phx_status phx_ipc_reply_sendv(phx_ipc_server* server, phx_ipc_connection connection,
                                       phx_ipc_request request, const struct iovec* parts,
                                       size_t part_count);
/** Answer a request with a status other than PHX_OK, which the caller's call returns. Errors as
 * phx_ipc_reply_send(). @since 0.1 */
PHX_API phx_status phx_ipc_refuse(phx_ipc_server* server, phx_ipc_connection connection,
                                  phx_ipc_request request, phx_status status);

/**
 * Send an event to a client's dispatch channel. Any thread. Never waits.
 *
 * @retval PHX_OK           In the client's ring.
 * @retval PHX_TRY_AGAIN    Full (PHX_IPC_THROTTLE): service->room() is called when there is room.
 * @retval PHX_EVICTED      Full: the client was cut off.
 * @retval PHX_TOO_BIG      Over the connection's message_bytes_max.
 * @retval PHX_DISCONNECTED, PHX_INVALID, PHX_BAD_HANDLE, PHX_FORKED as phx_ipc_reply_send().
 * @since 0.1
 */
PHX_API phx_status phx_ipc_dispatch(phx_ipc_server* server, phx_ipc_connection connection,
                                    uint32_t id, const void* data, size_t bytes);
/** As phx_ipc_dispatch(), from pieces. @since 0.1 */
PHX_API phx_status phx_ipc_dispatchv(phx_ipc_server* server, phx_ipc_connection connection,
                                     uint32_t id, const struct iovec* parts, size_t part_count);

/**
 * Send events to all clients that asked for them (options->broadcast of theirs): they are written
 * once, into a log that those map read-only, however many they are. Any thread. Never waits.
 *
 * A reader that lags by the whole log meets the policy: PHX_IPC_EVICT cuts it off; with
 * PHX_IPC_THROTTLE this is PHX_TRY_AGAIN until service->room() of that client, or until
 * throttle_max_ms without progress evict it. Clients that do not read hold up nobody else's log for
 * longer.
 *
 * @param accepted How many were sent, of which the first; always written.
 * @retval PHX_OK            All are in the log.
 * @retval PHX_TRY_AGAIN     Some reader is in the way (PHX_IPC_THROTTLE).
 * @retval PHX_TOO_BIG       One is over half the log.
 * @retval PHX_NOT_SUPPORTED options->broadcast_bytes is 0.
 * @retval PHX_DISCONNECTED  phx_ipc_server_destroy() has begun.
 * @retval PHX_INVALID, PHX_FORKED as phx_ipc_reply_send().
 * @par Cost
 * One copy an event, one store a call, and a look at each reader whether it sleeps.
 * @since 0.1
 */
PHX_API phx_status phx_ipc_broadcast(phx_ipc_server* server, const phx_ipc_item* items,
                                     size_t count, size_t* accepted);

/** Keep a connection's value and private data beyond its client: exit() waits for the last
 * phx_ipc_release(). Any thread. @retval PHX_OK, PHX_DISCONNECTED (too late), PHX_BAD_HANDLE,
 * PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_hold(phx_ipc_server* server, phx_ipc_connection connection);
/** Give back what phx_ipc_hold() kept. Any thread.
 * @retval PHX_OK, PHX_NOT_PINNED (not held), PHX_BAD_HANDLE, PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_release(phx_ipc_server* server, phx_ipc_connection connection);

/** Cut a client off: it may read what is queued, then gets PHX_EVICTED. Any thread.
 * @retval PHX_OK, PHX_DISCONNECTED, PHX_BAD_HANDLE, PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_evict(phx_ipc_server* server, phx_ipc_connection connection);

/** Who is connected, and how much waits. */
typedef struct phx_ipc_client_info {
  uint32_t service;
  pid_t pid; /**< From the kernel, as uid and gid. */
  uid_t uid;
  gid_t gid;
  char program[32]; /**< What the client says. */
  size_t request_ring_bytes;
  size_t request_queued_bytes;
  size_t dispatch_ring_bytes;
  size_t dispatch_queued_bytes;
  size_t broadcast_queued_bytes; /**< What it has not read of the broadcast log. */
  unsigned outstanding;          /**< Requests without a reply. */
  uint64_t handled;              /**< Messages so far. */
} phx_ipc_client_info;

/** Tell who is connected, and how much waits. Any thread.
 * @retval PHX_OK, PHX_DISCONNECTED, PHX_INVALID, PHX_BAD_HANDLE, PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_client(phx_ipc_server* server, phx_ipc_connection connection,
                                  phx_ipc_client_info* info);

/** What a server counted since it was made. */
typedef struct phx_ipc_server_info {
  unsigned clients; /**< Connected now, and about to be. */
  uint64_t refused; /**< Turned away when they connected, for whatever reason. */
  uint64_t broken;  /**< Cut off for what no library writes. */
  uint64_t evicted; /**< Cut off because they did not read, or by phx_ipc_evict(). */
} phx_ipc_server_info;

/** Tell how many clients there are, and how many were turned away or cut off. Any thread.
 * @retval PHX_OK, PHX_INVALID (NULL), PHX_FORKED. @since 0.1 */
PHX_API phx_status phx_ipc_server_counts(phx_ipc_server* server, phx_ipc_server_info* info);

#ifdef __cplusplus
}
#endif

#endif
