/**
 * @file
 * Phalanx: group messaging with one agreed order.
 *
 * A process attaches to the Phalanx of its host with phx_initialize(), joins named groups, and from
 * then on every member of a group, on whichever node, gets the same messages in the same order,
 * with every join, leave and crash at the same place between them. Everything arrives through
 * callbacks, and callbacks run only inside phx_dispatch(): the library has no threads of its own.
 *
 * Losing the data plane: the connection callback gets PHX_EVENT_DISCONNECTED once, the library
 * attaches again by itself whenever it is called (phx_dispatch() or phx_fd() readiness drive it),
 * joins and opens the same groups as a new member, and says PHX_EVENT_ATTACHED. Messages that were
 * accepted and not yet delivered may be lost then; none is ever sent a second time.
 *
 * Needs libc only. Sizes are bytes; times are milliseconds unless their name says otherwise.
 */
#ifndef PHALANX_PHALANX_H
#define PHALANX_PHALANX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PHX_GROUP_NAME_BYTES_MAX 128
#define PHX_PARTS_MAX 1024

/** An attachment, from phx_initialize(). 0 never is one. A stale value is told, not crashed on. */
typedef uint64_t phx_handle;

/** A group of one handle, from phx_join() or phx_open(). 0 never is one. */
typedef uint64_t phx_group;

/** How a message is to be delivered. */
typedef enum phx_guarantee {
  PHX_AGREED = 0, /**< In the agreed order. */
  PHX_SAFE = 1    /**< Also: only once every member of the view holds it. */
} phx_guarantee;

/** How much one phx_dispatch() does. */
typedef enum phx_dispatch_mode {
  PHX_DISPATCH_ONE = 1,    /**< One event. */
  PHX_DISPATCH_ALL = 2,    /**< What waits now. */
  PHX_DISPATCH_FOREVER = 3 /**< Everything, until the time is up or the handle is finalised. */
} phx_dispatch_mode;

/** Why a member is in a list of phx_group_view. */
typedef enum phx_reason {
  PHX_REASON_NONE = 0, /**< In the list of members. */
  PHX_REASON_JOINED = 1,
  PHX_REASON_LEFT = 2,        /**< It asked to leave. */
  PHX_REASON_DIED = 3,        /**< Its process ended or detached. */
  PHX_REASON_EVICTED = 4,     /**< It read too slowly. */
  PHX_REASON_NODE_JOINED = 5, /**< Its node entered the view. */
  PHX_REASON_NODE_LEFT = 6    /**< Its node left the view. */
} phx_reason;

/** A client somewhere in the cluster. (node, client) names it; the pid is for people. */
typedef struct phx_member {
  uint32_t node;
  uint32_t client;
  uint32_t pid;
  uint32_t reason; /**< A phx_reason. */
} phx_member;

/** Flags of a message or view. */
#define PHX_FLAG_SAFE 1u /**< Sent with PHX_SAFE. */
/** Delivered between two views: maybe not by members that left. */
#define PHX_FLAG_TRANSITIONAL 2u
#define PHX_FLAG_QUORATE 4u /**< Of a node view: quorate. See quorum.h. */

/** One message. Everything in it is valid until the callback returns. */
typedef struct phx_message {
  phx_group group;
  const void* data; /**< In place in the delivery ring, 8-byte aligned. Do not write. */
  size_t bytes;
  uint32_t node;   /**< The sender. */
  uint32_t client; /**< The sender. Compare both with phx_local_id() to know your own. */
  uint32_t flags;  /**< PHX_FLAG_SAFE, PHX_FLAG_TRANSITIONAL. */
} phx_message;

/** Who is in a group from here on, and what changed. Valid until the callback returns. */
typedef struct phx_group_view {
  phx_group group;
  const char* name; /**< Not NUL-terminated. */
  size_t name_bytes;
  const phx_member* members;
  size_t member_count;
  const phx_member* left;
  size_t left_count;
  const phx_member* joined;
  size_t joined_count;
  uint32_t flags; /**< PHX_FLAG_TRANSITIONAL. */
} phx_group_view;

/**
 * Which nodes form the cluster from here on. With PHX_FLAG_TRANSITIONAL all lists are empty: the
 * old view ends, and what follows up to the next node view comes from the nodes that go on
 * together.
 */
typedef struct phx_node_view {
  uint64_t sequence; /**< Grows with every view, also across restarts. */
  uint32_t representative;
  const uint32_t* members; /**< Node ids, sorted. */
  size_t member_count;
  const uint32_t* left;
  size_t left_count;
  const uint32_t* joined; /**< A node that restarted is in both lists. */
  size_t joined_count;
  uint32_t flags; /**< PHX_FLAG_TRANSITIONAL, PHX_FLAG_QUORATE. */
} phx_node_view;

/** What happened to the attachment itself. */
typedef enum phx_event {
  PHX_EVENT_DISCONNECTED = 1, /**< The data plane is gone. All memberships ended without a view. */
  PHX_EVENT_ATTACHED = 2,     /**< Attached again; groups are joined anew. The local id changed. */
  PHX_EVENT_EVICTED = 3,  /**< Everything queued was delivered; all groups were left. Join again. */
  PHX_EVENT_SENDABLE = 4, /**< There is room again after PHX_TRY_AGAIN. */
  PHX_EVENT_REFUSED = 5   /**< A join or open was: see group and status. The group is gone. */
} phx_event;

typedef struct phx_connection {
  phx_event event;
  phx_status status; /**< Of PHX_EVENT_REFUSED: why. Else PHX_OK, DISCONNECTED or EVICTED. */
  phx_group group;   /**< Of PHX_EVENT_REFUSED, else 0. */
} phx_connection;

struct phx_quorum_view; /* quorum.h */
/** Run by phx_dispatch(), in the thread that called it. Any of them may be NULL. All other calls
 * are allowed inside, phx_finalize() too; only phx_dispatch() of the same handle is not. */
typedef struct phx_callbacks {
  void (*message)(void* context, phx_handle handle, const phx_message* message);
  void (*group_view)(void* context, phx_handle handle, const phx_group_view* view);
  void (*node_view)(void* context, phx_handle handle, const phx_node_view* view);
  void (*connection)(void* context, phx_handle handle, const phx_connection* connection);
  /** With every view but transitional ones, before node_view of that view. */
  void (*quorum)(void* context, phx_handle handle, const struct phx_quorum_view* view);
  /** Instead of `message`, if set: messages that follow one another, up to PHX_DISPATCHED_MAX in
   * one call. All lie in place in the ring, which gets their space back together. See batch.h. */
  void (*messages)(void* context, phx_handle handle, const phx_message* messages, size_t count);
} phx_callbacks;

/** How events come to a client. */
typedef enum phx_delivery {
  PHX_DELIVERY_PRIVATE = 0, /**< By a ring of its own. */
  /** By the log that all such clients of this node map read-only, if this user may
   * (client.shared_uids and shared_gids, for it holds the messages of all their groups); else by a
   * ring of its own. However many read cost the data plane as much as one, and it waits for none:
   * one that lags by most of client.shared_log is evicted, and gets nothing more of what it had not
   * read. phx_dispatch() counts what it passes over of other clients' events, too. */
  PHX_DELIVERY_SHARED = 1
} phx_delivery;

/** How to attach. Zero every field that you do not set: 0 and NULL mean the default. */
typedef struct phx_options {
  size_t struct_bytes; /**< sizeof(phx_options), so that fields can be added later. */
  phx_callbacks callbacks;
  void* context;                 /**< Handed to every callback. */
  const char* instance;          /**< Which Phalanx of this host. Default "default". */
  const char* runtime_directory; /**< Default: PHX_RUNTIME_DIR, else where the daemons put it. */
  const char* program;           /**< Shown to operators. Default: the program's name. */
  size_t submit_ring_bytes;      /**< Default 1 MiB. The daemon rounds and bounds it. */
  size_t delivery_ring_bytes;    /**< Default 1 MiB: how far this client may lag. */
  int attach_timeout_ms;         /**< Default 5000: for phx_initialize(). */
  int no_reattach;               /**< Non-zero: stay disconnected when the data plane goes. */
  /** How long a waiting phx_dispatch() looks and yields before it sleeps. Default: 30, and up to
   * 500 while its sleeps turn out shorter than 0.2 ms; < 0: 0. It yields at every look, or once in
   * 64 on a core that nobody else uses. A thread that yields is put into short turns (EEVDF's
   * custom slice, 0.1 ms, Linux 6.12), or a yield would cost it more than a data plane's: its share
   * of the processor stays, other policies than SCHED_OTHER too. */
  int spin_us;
  phx_delivery delivery; /**< phx_flow_state() says what was granted. */
} phx_options;

/** What this attachment allows. */
typedef struct phx_limit_values {
  size_t message_bytes_max;
  size_t group_name_bytes_max;
  size_t groups_max;
} phx_limit_values;

/** How full the rings are, in bytes, as seen now by this client; with several workers, which have a
 * pair of rings each, the fullest of each kind. */
typedef struct phx_flow {
  size_t submit_ring_bytes;
  size_t submit_queued_bytes; /**< Accepted and not yet taken by the data plane. */
  size_t delivery_ring_bytes;
  size_t delivery_queued_bytes; /**< Not dispatched. Near the ring size: eviction is near. */
  int shared;                   /**< Non-zero: it reads the shared log; delivery_* are of that. */
  int sendable;                 /**< Attached, and a small message would be accepted now. */
} phx_flow;

/**
 * Attach this process to the Phalanx of this host.
 *
 * Waits until the data plane has answered, at most options->attach_timeout_ms. Who may attach is
 * the daemon's configuration (client.uids, client.gids).
 *
 * @param options May be NULL only for a handle that never receives.
 * @param handle  Written only when PHX_OK.
 *
 * @retval PHX_OK          Attached.
 * @retval PHX_NOT_RUNNING No daemon listens for that instance; nothing was waited for.
 * @retval PHX_TRY_AGAIN   A daemon listens, but its data plane did not answer in time.
 * @retval PHX_ACCESS      This user may not attach, or the socket belongs to a stranger.
 * @retval PHX_LIMIT       The daemon has too many clients, or this process too many handles.
 * @retval PHX_VERSION     The daemon is of another version.
 * @retval PHX_INVALID     A NULL handle, a wrong struct_bytes or delivery, or too long a path.
 * @retval PHX_NO_MEMORY   No memory, address space or descriptors.
 * @par Thread safety
 * Any thread.
 * @par Cost
 * Maps the rings: some 100 us. The handle uses 3 descriptors, 6 once phx_fd() was called.
 * @since 0.1
 */
PHX_API phx_status phx_initialize(const phx_options* options, phx_handle* handle);

/**
 * Detach: leave all groups and give everything back. A thread that waits in phx_dispatch() of this
 * handle returns PHX_BAD_HANDLE. Inside a callback the memory goes when that callback has returned.
 *
 * @retval PHX_OK         Detached. What was accepted before is still sent.
 * @retval PHX_BAD_HANDLE Finalised already, stale, or used after fork().
 * @par Thread safety
 * Any thread; waits for a callback that runs in another one.
 * @since 0.1
 */
PHX_API phx_status phx_finalize(phx_handle handle);

/**
 * Become a member of a group. The membership begins with the group view that lists this client;
 * what is sent after this call is ordered behind it.
 *
 * @param name       The group's name, any bytes.
 * @param name_bytes 1 to PHX_GROUP_NAME_BYTES_MAX.
 * @param group      Written when PHX_OK, and when PHX_EXISTS (the group as it is). May be NULL.
 *
 * @retval PHX_OK            Asked for. A refusal comes as PHX_EVENT_REFUSED.
 * @retval PHX_EXISTS        This handle has joined it already.
 * @retval PHX_NAME_EMPTY    name_bytes is 0.
 * @retval PHX_NAME_TOO_LONG name_bytes is over PHX_GROUP_NAME_BYTES_MAX.
 * @retval PHX_LIMIT         This handle has phx_limit_values.groups_max groups.
 * @retval PHX_TRY_AGAIN     The ring is full, the library re-attaches, or a leave is not done yet.
 * @retval PHX_DISCONNECTED  The data plane is gone for good (options->no_reattach).
 * @retval PHX_NO_MEMORY     No memory for one more group.
 * @retval PHX_BAD_HANDLE    Finalised, stale, or used after fork().
 * @par Thread safety
 * Any thread; calls on one handle are serialised. Not safe in a signal handler.
 * @since 0.1
 */
PHX_API phx_status phx_join(phx_handle handle, const char* name, size_t name_bytes,
                            phx_group* group);

/**
 * Get a group to send to without becoming a member. Errors as phx_join(), but for PHX_EXISTS: a
 * group that is joined or open already is simply returned.
 * @since 0.1
 */
PHX_API phx_status phx_open(phx_handle handle, const char* name, size_t name_bytes,
                            phx_group* group);

/**
 * Stop being a member. Messages ordered before the leave are still delivered; the group view that
 * lists this client as left is the group's last event, and ends the phx_group (unless also open).
 *
 * @retval PHX_OK           Asked for.
 * @retval PHX_NOT_JOINED   Not joined (or left already, or only opened).
 * @retval PHX_EVICTED      This client was evicted: no member any more; the phx_group ends.
 * @retval PHX_TRY_AGAIN    The ring is full.
 * @retval PHX_DISCONNECTED The data plane is gone for good (options->no_reattach).
 * @retval PHX_BAD_HANDLE   Finalised, stale, or used after fork().
 * @par Thread safety
 * Any thread; calls on one handle are serialised. Not safe in a signal handler.
 * @since 0.1
 */
PHX_API phx_status phx_leave(phx_handle handle, phx_group group);

/** Give back a group that was opened for sending. A membership in it stays.
 * @retval PHX_OK, PHX_NOT_JOINED (not open), PHX_TRY_AGAIN, PHX_BAD_HANDLE. @since 0.1 */
PHX_API phx_status phx_close(phx_handle handle, phx_group group);

/**
 * Queue one message for delivery, in the lane's total order, to every member of a group.
 *
 * The message is copied into this client's submit ring. The call never blocks, allocates or enters
 * the kernel (but for waking a worker that sleeps). PHX_OK means accepted, not delivered: delivery
 * is when your own message callback gets the message back. During a view change accepted messages
 * wait; none is lost unless the data plane dies (then the handle sees PHX_EVENT_DISCONNECTED once).
 *
 * @param group      From phx_join(), or phx_open() to send without being a member.
 * @param parts      Pieces of the message, sent as one. May be NULL only when @p part_count is 0.
 * @param part_count 0 to PHX_PARTS_MAX.
 * @param guarantee  PHX_AGREED: in order. PHX_SAFE: in order, and held by every member first.
 *
 * @retval PHX_OK           Accepted.
 * @retval PHX_TRY_AGAIN    The ring is full, or the library is re-attaching. PHX_EVENT_SENDABLE or
 *                          PHX_EVENT_ATTACHED follows, and phx_fd() becomes readable for it.
 * @retval PHX_TOO_BIG      Over phx_limit_values.message_bytes_max. Retrying never helps.
 * @retval PHX_NOT_JOINED   Neither joined nor opened (or left, or refused).
 * @retval PHX_DISCONNECTED The data plane is gone for good (options->no_reattach).
 * @retval PHX_EVICTED      This client read too slowly and left all its groups; join again.
 * @retval PHX_INVALID      NULL parts, too many parts, or an unknown guarantee.
 * @retval PHX_PINNED       This thread has not committed what it took by phx_reserve(); so say
 *                          phx_join(), phx_open(), phx_leave() and phx_close() then.
 * @retval PHX_BAD_HANDLE   Finalised, stale, or used after fork().
 * @par Thread safety
 * Any thread; calls on one handle are serialised. Not safe in a signal handler.
 * @par Cost
 * One copy of the message and one fenced store.
 * @since 0.1
 */
PHX_API phx_status phx_multicast(phx_handle handle, phx_group group, const struct iovec* parts,
                                 size_t part_count, phx_guarantee guarantee);

/**
 * Run the callbacks of what has arrived. Also drives re-attaching, so call it now and then even
 * when nothing is expected.
 *
 * @param mode       How much to do.
 * @param timeout_ms How long to wait for a first event: 0 not at all, -1 for ever. With
 *                   PHX_DISPATCH_FOREVER: how long to go on.
 *
 * @retval PHX_OK           At least one callback's worth of events was handled.
 * @retval PHX_TRY_AGAIN    Nothing came in time.
 * @retval PHX_DISCONNECTED The data plane is gone for good (options->no_reattach).
 * @retval PHX_INVALID      An unknown mode, or called from a callback of the same handle.
 * @retval PHX_BAD_HANDLE   Finalised (perhaps meanwhile), stale, or used after fork().
 * @par Thread safety
 * Any thread; one at a time dispatches, others wait. Sending goes on meanwhile.
 * @par Cost
 * No system call while events wait. A wait looks and yields for options->spin_us, then sleeps in
 * poll().
 * @since 0.1
 */
PHX_API phx_status phx_dispatch(phx_handle handle, phx_dispatch_mode mode, int timeout_ms);

/**
 * A descriptor for poll(), select() or epoll: readable when phx_dispatch() has something to do, be
 * it an event, a hang-up or a step of re-attaching. It stays the same for the handle's life, is not
 * to be read, and must not be closed. It may rarely be readable with nothing to do.
 *
 * Ask for it only to use it: from the first call on, a phx_dispatch() that runs empty makes the
 * data plane wake this process for the next event, which costs both sides some microseconds.
 *
 * @retval PHX_OK         Written to @p fd.
 * @retval PHX_NO_MEMORY  No descriptors.
 * @retval PHX_INVALID    A NULL @p fd.
 * @retval PHX_BAD_HANDLE Finalised, stale, or used after fork().
 * @since 0.1
 */
PHX_API phx_status phx_fd(phx_handle handle, int* fd);

/**
 * The members of a joined group, as of the last group view that was dispatched.
 *
 * @param members  Room for @p capacity members; may be NULL when that is 0.
 * @param count    How many members there are; when over @p capacity, the first ones were written.
 *
 * @retval PHX_OK         Written.
 * @retval PHX_NOT_JOINED Not joined. (Before the first view the list is empty.)
 * @retval PHX_EVICTED    This client was evicted from the group.
 * @retval PHX_INVALID    A NULL pointer.
 * @retval PHX_BAD_HANDLE Finalised, stale, or used after fork().
 * @since 0.1
 */
PHX_API phx_status phx_membership(phx_handle handle, phx_group group, phx_member* members,
                                  size_t capacity, size_t* count);

/**
 * Who this client is. Changes with every re-attach.
 *
 * @retval PHX_OK           Written.
 * @retval PHX_TRY_AGAIN    Not attached at the moment.
 * @retval PHX_DISCONNECTED The data plane is gone for good (options->no_reattach).
 * @retval PHX_INVALID      A NULL pointer. PHX_BAD_HANDLE: as everywhere.
 * @since 0.1
 */
PHX_API phx_status phx_local_id(phx_handle handle, phx_member* id);

/** How full the rings are. @retval PHX_OK, PHX_INVALID or PHX_BAD_HANDLE. @since 0.1 */
PHX_API phx_status phx_flow_state(phx_handle handle, phx_flow* flow);

/** What may be sent. @retval PHX_OK, PHX_INVALID or PHX_BAD_HANDLE. @since 0.1 */
PHX_API phx_status phx_limits(phx_handle handle, phx_limit_values* limits);

#ifdef __cplusplus
}
#endif

#include "batch.h"
#include "quorum.h"

#endif
