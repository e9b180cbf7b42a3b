/**
 * @file
 * Replicated state: an application that has a state and operations on it runs in many processes,
 * and all of them have the same state, through crashes, joins, partitions and merges.
 *
 * A replica is a member of a group with a state of its own. Everyone may submit operations; each
 * is applied at one place of the agreed order on all replicas, and answered to its origin alone.
 * Who joins gets a snapshot that was cut at a place of the order, and then what came after it,
 * while the others go on. When a partition heals, one side goes on; what the other ones did and it
 * lacks is given to its merge callback, operation by operation, once, on all its replicas at one
 * place of the order; the others get its snapshot. So all end equal. replica.md has the rules.
 *
 * A replica has a handle of its own (see phalanx.h), and no thread: callbacks run inside
 * phx_replica_dispatch(). Replicas of one group must use the same options but for names, context
 * and version.
 *
 * Thread safety: one thread at a time for each replica. Different replicas do not meet.
 */
#ifndef PHALANX_REPLICA_H
#define PHALANX_REPLICA_H

#include <phalanx/phalanx.h>

#ifdef __cplusplus
extern "C" {
#endif

/** From phx_replica_open() to phx_replica_close(). Never use it after that, or after fork(). */
typedef struct phx_replica phx_replica;

/** Where the snapshot callback writes to. */
typedef struct phx_replica_writer phx_replica_writer;

/** Known everywhere by its origin, drawn by each replica for its life, and its number there. */
typedef struct phx_replica_operation {
  const void* data; /**< 8-byte aligned. Valid until the callback returns. */
  size_t bytes;
  uint64_t origin;
  uint64_t number;
  int own; /**< Submitted by this replica. */
} phx_replica_operation;

typedef enum phx_replica_event {
  PHX_REPLICA_LIVE = 1,         /**< The state is the agreed one from here on. */
  PHX_REPLICA_BEHIND = 2,       /**< It is not: cut off, or overtaken by another side. */
  PHX_REPLICA_NO_QUORUM = 3,    /**< Nobody has a state, and founding one asks for quorum. */
  PHX_REPLICA_GIVER_FAILED = 4, /**< See fault; another giver follows. */
  PHX_REPLICA_MERGING = 5,      /**< Another side was met; this one goes on. */
  PHX_REPLICA_MERGED = 6,       /**< count operations of another side were merged. */
  PHX_REPLICA_LOST = 7,         /**< Another side's history was too short to merge all it did. */
  PHX_REPLICA_MERGE_FAILED = 8, /**< The merge callback refused an operation, or there is none. */
  PHX_REPLICA_SLOW = 9          /**< Callbacks took count microseconds, over slow_ms. */
} phx_replica_event;

/** Why a transfer failed. */
typedef enum phx_replica_fault {
  PHX_REPLICA_FAULT_NONE = 0,
  PHX_REPLICA_FAULT_SNAPSHOT = 1,  /**< The giver's snapshot callback failed. */
  PHX_REPLICA_FAULT_TOO_LARGE = 2, /**< Over snapshot_bytes_max. */
  PHX_REPLICA_FAULT_VERSION = 3,   /**< Written by a version that the taker does not read. */
  PHX_REPLICA_FAULT_CORRUPT = 4,   /**< Bytes are missing, or are not those that were sent. */
  PHX_REPLICA_FAULT_RESTORE = 5,   /**< The taker's restore callback failed. */
  PHX_REPLICA_FAULT_SILENT = 6,    /**< Nothing was heard for transfer_ms. */
  PHX_REPLICA_FAULT_MEMORY = 7     /**< No memory. */
} phx_replica_fault;

typedef struct phx_replica_report {
  phx_replica_event event;
  phx_replica_fault fault;
  uint32_t node;   /**< Whom it is about, or 0. */
  uint32_t client; /**< Whom it is about, or 0. */
  uint64_t count;
} phx_replica_report;

/** Run inside phx_replica_dispatch(), in its thread. They may call phx_replica_submit() and
 * phx_replica_state(), and no other function of the same replica. */
typedef struct phx_replica_callbacks {
  /** Write the whole state with phx_replica_write(). 0: done; else failed, another one gives. */
  int (*snapshot)(void* context, phx_replica_writer* writer);
  /** Replace the whole state by what a snapshot of @p version wrote; NULL and 0 bytes of the own
   * version: by the one that the process began with. 0: done. Else failed: the state is not used
   * by anyone, and the next call is another restore. */
  int (*restore)(void* context, const void* data, size_t bytes, uint32_t version);
  /** Carry an operation out. 0: done. Anything else refuses it, with that as the answer, and must
   * leave the state as it was. The same state and operation must give the same everywhere. */
  int64_t (*apply)(void* context, const phx_replica_operation* operation);
  /** Take in what another side has carried out and answered: no time to refuse. 0: done; else it
   * is left out, and counted. Must be as deterministic as apply. NULL: everything is left out. */
  int (*merge)(void* context, const phx_replica_operation* operation);
  /** What became of an operation submitted here, in the order of submissions. PHX_OK: carried out
   * with @p result (not 0: refused by apply). PHX_NOT_QUORATE: refused, this view may not write.
   * PHX_FULL: refused, a side without quorum has no room to remember more. PHX_IN_DOUBT: carried
   * out, or about to be, where this replica could not see how. May be NULL. */
  void (*answer)(void* context, uint64_t ticket, phx_status status, int64_t result);
  /** May be NULL. */
  void (*report)(void* context, const phx_replica_report* report);
} phx_replica_callbacks;

/** Zero every field that you do not set: 0 and NULL mean the default. */
typedef struct phx_replica_options {
  size_t struct_bytes; /**< sizeof(phx_replica_options), so that fields can be added later. */
  phx_replica_callbacks callbacks; /**< snapshot, restore and apply are a must. */
  void* context;
  const char* group; /**< Its name. */
  size_t group_bytes;
  const char* instance;          /**< As in phx_options. */
  const char* runtime_directory; /**< As in phx_options. */
  const char* program;           /**< As in phx_options. */
  int attach_timeout_ms;         /**< As in phx_options. */
  int write_quorum; /**< Not 0: operations are refused, and no state is founded, without quorum. */
  uint32_t version; /**< Of what snapshot writes. */
  uint32_t version_min; /**< The oldest version that restore reads. It gets none above version. */
  size_t history_bytes; /**< Default 4 MiB: the last operations, kept to merge sides. */
  size_t pending_bytes; /**< Default 256 KiB: own operations without an answer. */
  size_t snapshot_bytes_max;  /**< Default 1 GiB. */
  size_t batch_bytes;         /**< Default 16 KiB: operations that travel in one message. */
  size_t delivery_ring_bytes; /**< Default 4 MiB. As in phx_options. */
  int meeting_ms;             /**< Default 500: longest wait for a member that does not dispatch. */
  int transfer_ms;            /**< Default 1000: longest silence in a transfer. */
  /** Default 100. Callbacks that take longer are reported and counted: a snapshot or a restore, or
   * together what one message carried (up to batch_bytes of operations). */
  int slow_ms;
} phx_replica_options;

/** What phx_replica_state() tells. */
typedef struct phx_replica_status {
  int live;    /**< The state is the agreed one; what is submitted now is sent. */
  int quorate; /**< The view is. */
  size_t members;
  size_t pending;      /**< Own operations without an answer. */
  uint64_t operations; /**< That the state took, refused ones too. */
  uint64_t digest;     /**< Over them and their results: equal on replicas that have done alike. */
  uint64_t applied;    /**< Of this process, from here on: operations carried out. */
  uint64_t refused;
  uint64_t merged;
  uint64_t merge_failures;
  uint64_t lost_sides;
  uint64_t meetings;
  uint64_t snapshots_given;
  uint64_t snapshots_taken;
  uint64_t transfer_faults;
  uint64_t rejected; /**< Messages that made no sense. */
  uint64_t slow;     /**< Times that callbacks took longer than slow_ms. */
} phx_replica_status;

/**
 * Attach and join the group. The state that the application has now is the initial one, which must
 * be the same in every process. Reports PHX_REPLICA_LIVE when it has the agreed one.
 *
 * @retval PHX_OK      Attached.
 * @retval PHX_INVALID NULL, a wrong struct_bytes, a missing callback, or a negative time.
 * @retval PHX_WRONG_LANE The group is not in lane 0, in whose order node views are told. Where
 *                     cluster.lanes is more than 1, give it a line in [lane.groups].
 * @retval PHX_NO_MEMORY, PHX_NAME_EMPTY, PHX_NAME_TOO_LONG, and all of phx_initialize().
 * @since 0.1
 */
PHX_API phx_status phx_replica_open(const phx_replica_options* options, phx_replica** replica);

/** Leave and free. Operations without an answer get none. NULL does nothing. Not in a callback.
 * @since 0.1 */
PHX_API void phx_replica_close(phx_replica* replica);

/**
 * Queue an operation. It is sent by the next phx_replica_dispatch() or phx_replica_flush(), packed
 * with others, as soon as the replica is live; its answer comes once, with @p ticket.
 *
 * @retval PHX_OK        Queued.
 * @retval PHX_TRY_AGAIN pending_bytes are waiting for answers: dispatch.
 * @retval PHX_TOO_BIG   Over what a message can hold.
 * @retval PHX_INVALID   NULL with bytes.
 * @par Cost
 * One copy.
 * @since 0.1
 */
PHX_API phx_status phx_replica_submit(phx_replica* replica, const void* data, size_t bytes,
                                      uint64_t ticket);

/** Send what is queued, as far as there is room. @retval PHX_OK. @since 0.1 */
PHX_API phx_status phx_replica_flush(phx_replica* replica);

/**
 * Run the callbacks of what has arrived, and send. Call it often: a replica that does not dispatch
 * for meeting_ms can be left out when sides meet, and catches up afterwards.
 *
 * @param timeout_ms How long to wait for something: 0 not at all, -1 for ever.
 * @retval PHX_OK        Something was handled.
 * @retval PHX_TRY_AGAIN Nothing came in time.
 * @retval PHX_ACCESS, PHX_LIMIT, PHX_INVALID The join was refused.
 * @retval PHX_WRONG_LANE The data plane came back with another [lane.groups].
 * @retval PHX_DISCONNECTED, PHX_BAD_HANDLE as phx_dispatch().
 * @since 0.1
 */
PHX_API phx_status phx_replica_dispatch(phx_replica* replica, int timeout_ms);

/** As phx_fd(). Also dispatch every 100 ms: time-outs do not make it readable. @since 0.1 */
PHX_API phx_status phx_replica_fd(phx_replica* replica, int* fd);

/** Tell how far it is. @retval PHX_OK, PHX_INVALID. @since 0.1 */
PHX_API phx_status phx_replica_state(phx_replica* replica, phx_replica_status* status);

/** Add bytes to the snapshot, in its callback.
 * @retval PHX_OK, PHX_NO_MEMORY, PHX_INVALID (NULL with bytes). @since 0.1 */
PHX_API phx_status phx_replica_write(phx_replica_writer* writer, const void* data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
