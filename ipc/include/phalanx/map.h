/**
 * @file
 * The configuration map and the statistics map of this host's Phalanx. Include it by itself.
 *
 * Keys have 3 to 255 letters, digits and . _ - / : and are sorted by their bytes; a key's first
 * words, up to a dot, group what belongs together. Each value has one of twelve types. The map
 * belongs to one node, it is not replicated, and it lives as long as the control plane does.
 *
 * PHX_MAP_CONFIG holds what the daemon runs with, named as in its configuration file, and runtime.*
 * (both read-only), and the keys that applications set. Any user who may attach may read
 * everything and make keys; a key may be changed by the user who made it, by root and by the
 * daemon's own user. PHX_MAP_STATS is read-only and computed when it is read.
 *
 * Reads of PHX_MAP_CONFIG ask nobody: they look into memory that the daemon shares, and so do
 * trackers. All else waits for the daemon's answer, at most phx_map_options.timeout_ms.
 *
 * Once the daemon is gone every call gives PHX_DISCONNECTED: close the handle, open another, set
 * and track anew. A read notices that within a millisecond.
 *
 * Thread safety: any thread; calls on one handle are serialised. Not in a signal handler. A handle
 * is of no use in a child of fork(): there it is stale.
 */
#ifndef PHALANX_MAP_H
#define PHALANX_MAP_H

#include <phalanx/phalanx.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PHX_MAP_KEY_BYTES_MAX 255
#define PHX_MAP_VALUE_BYTES_MAX 16384
#define PHX_MAP_TRACKERS_MAX 64 /**< Of a handle. */

/** An open map, from phx_map_open(). 0 never is one. A stale value is told, not crashed on. */
typedef uint64_t phx_map;

/** A tracker of one handle, from phx_map_track_add(). 0 never is one. */
typedef uint64_t phx_map_tracker;

/** Which map. */
typedef enum phx_map_kind {
  PHX_MAP_CONFIG = 0, /**< Configuration, run-time state and application data. */
  PHX_MAP_STATS = 1   /**< Statistics, computed when read. */
} phx_map_kind;

/** What a value is. The numbers are those of Corosync's cmap. */
typedef enum phx_map_type {
  PHX_MAP_I8 = 1,
  PHX_MAP_U8 = 2,
  PHX_MAP_I16 = 3,
  PHX_MAP_U16 = 4,
  PHX_MAP_I32 = 5,
  PHX_MAP_U32 = 6,
  PHX_MAP_I64 = 7,
  PHX_MAP_U64 = 8,
  PHX_MAP_FLOAT = 9,
  PHX_MAP_DOUBLE = 10,
  PHX_MAP_STRING = 11, /**< Its bytes include its terminating zero, the only one. */
  PHX_MAP_BINARY = 12  /**< Any bytes, none too. */
} phx_map_type;

/** Of a tracker: what it is to be told, and PHX_MAP_PREFIX. Of an event: one of the first three. */
#define PHX_MAP_DELETE 1u
#define PHX_MAP_MODIFY 2u
#define PHX_MAP_ADD 4u
#define PHX_MAP_PREFIX 8u /**< The key is a prefix: "" is that of all keys. */
#define PHX_MAP_LOST 16u  /**< Of an event only: see phx_map_event. */

/** A value. */
typedef struct phx_map_value {
  phx_map_type type;
  size_t bytes;
  const void* data; /**< 8-byte aligned. NULL: there is none (before an add, after a delete). */
} phx_map_value;

/**
 * What a tracker is told. Valid until the callback returns.
 *
 * PHX_MAP_LOST: this handle dispatched too slowly and the daemon wrote over changes that it had
 * not read. They will not be told; `lost` says how many there were, of whatever key. What is read
 * from the map now includes them all. Each tracker is told once, and then of what comes next.
 */
typedef struct phx_map_event {
  phx_map_tracker tracker;
  uint32_t event;  /**< PHX_MAP_ADD, PHX_MAP_MODIFY, PHX_MAP_DELETE or PHX_MAP_LOST. */
  const char* key; /**< "" with PHX_MAP_LOST. */
  phx_map_value value;
  phx_map_value old_value;
  uint64_t lost;
} phx_map_event;

/** Run by phx_map_dispatch() in the thread that called it. All calls but phx_map_dispatch() of the
 * same handle are allowed inside, phx_map_close() too. */
typedef void (*phx_map_callback)(void* context, phx_map map, const phx_map_event* event);

/** How to open. Zero every field that you do not set: 0 and NULL mean the default. */
typedef struct phx_map_options {
  size_t struct_bytes; /**< sizeof(phx_map_options), so that fields can be added later. */
  phx_map_kind kind;
  const char* instance;          /**< Which Phalanx of this host. Default "default". */
  const char* runtime_directory; /**< Default: PHX_RUNTIME_DIR, else where the daemons put it. */
  int timeout_ms;                /**< Longest wait for the daemon. Default 5000. */
} phx_map_options;

/**
 * Open a map.
 *
 * @param options NULL: the configuration map of the default instance.
 * @param map     Written only when PHX_OK.
 *
 * @retval PHX_OK           Open.
 * @retval PHX_NOT_RUNNING  No control plane listens for that instance.
 * @retval PHX_ACCESS       This user may not attach, or the socket belongs to a stranger.
 * @retval PHX_LIMIT        The daemon has too many clients, or this process too many handles.
 * @retval PHX_TRY_AGAIN    The daemon did not answer in time.
 * @retval PHX_VERSION      The daemon is of another version.
 * @retval PHX_INVALID      A NULL map, a wrong struct_bytes or kind, or a path that is too long.
 * @retval PHX_NO_MEMORY    No memory, address space or descriptors.
 * @par Cost
 * A connection to the daemon and one mapping of 10 MiB of address space; two descriptors; 16 KiB to
 * 112 KiB of the host's memory.
 * @since 0.1
 */
PHX_API phx_status phx_map_open(const phx_map_options* options, phx_map* map);

/**
 * Close it and drop its trackers. A thread that waits in phx_map_dispatch() of it returns
 * PHX_BAD_HANDLE. The keys that were set stay.
 * @retval PHX_OK, or PHX_BAD_HANDLE: closed already, stale, or used after fork().
 * @since 0.1
 */
PHX_API phx_status phx_map_close(phx_map map);

/**
 * Read a key.
 *
 * @param data     Room for @p capacity bytes; may be NULL when that is 0.
 * @param bytes    Written with the value's length when PHX_OK and PHX_TOO_BIG. May be NULL.
 * @param type     Likewise. May be NULL.
 *
 * @retval PHX_OK           Copied; or, with @p data NULL, only length and type were asked for.
 * @retval PHX_NOT_FOUND    No such key.
 * @retval PHX_TOO_BIG      The value is larger than @p capacity; nothing of it is to be used.
 * @retval PHX_BAD_NAME, PHX_NAME_TOO_LONG No key can be called so.
 * @retval PHX_INVALID      A NULL key.
 * @retval PHX_DISCONNECTED The daemon is gone, or did not answer in time.
 * @retval PHX_BAD_HANDLE   Closed, stale, or used after fork().
 * @par Cost
 * PHX_MAP_CONFIG: a search in memory, below a microsecond; no system call but once a millisecond.
 * PHX_MAP_STATS: a question to the daemon, which computes all.
 * @since 0.1
 */
PHX_API phx_status phx_map_get(phx_map map, const char* key, void* data, size_t capacity,
                               size_t* bytes, phx_map_type* type);

/** Read a key of that type. As phx_map_get(), and @retval PHX_WRONG_TYPE It has another one.
 * @since 0.1 */
PHX_API phx_status phx_map_get_i8(phx_map map, const char* key, int8_t* value);
PHX_API phx_status phx_map_get_u8(phx_map map, const char* key, uint8_t* value);
PHX_API phx_status phx_map_get_i16(phx_map map, const char* key, int16_t* value);
PHX_API phx_status phx_map_get_u16(phx_map map, const char* key, uint16_t* value);
PHX_API phx_status phx_map_get_i32(phx_map map, const char* key, int32_t* value);
PHX_API phx_status phx_map_get_u32(phx_map map, const char* key, uint32_t* value);
PHX_API phx_status phx_map_get_i64(phx_map map, const char* key, int64_t* value);
PHX_API phx_status phx_map_get_u64(phx_map map, const char* key, uint64_t* value);
PHX_API phx_status phx_map_get_float(phx_map map, const char* key, float* value);
PHX_API phx_status phx_map_get_double(phx_map map, const char* key, double* value);
PHX_API phx_status phx_map_get_string(phx_map map, const char* key, char* text, size_t capacity);

/**
 * Create a key, or change its value and, if it has another one, its type. Setting what is there
 * already is no change: no tracker is told.
 *
 * @param data  May be NULL only when @p bytes is 0.
 * @param bytes The size of the number's type; of a string with its zero; 0 to
 *              PHX_MAP_VALUE_BYTES_MAX of a binary.
 *
 * @retval PHX_OK            Set: the next read of anybody on this host finds it.
 * @retval PHX_WRONG_TYPE    @p type is none of the twelve.
 * @retval PHX_WRONG_SIZE    @p bytes is not that of the type, or the string has not its only zero
 *                           at its end.
 * @retval PHX_TOO_BIG       Over PHX_MAP_VALUE_BYTES_MAX.
 * @retval PHX_BAD_NAME, PHX_NAME_TOO_LONG No key can be called so.
 * @retval PHX_READ_ONLY     The daemon's own key, a name reserved for one, or PHX_MAP_STATS.
 * @retval PHX_ACCESS        Another user made this key.
 * @retval PHX_FULL          16384 keys or 3 MiB with their values: the map takes no more.
 * @retval PHX_LIMIT         This user has a quarter of that already.
 * @retval PHX_INVALID       NULL.
 * @retval PHX_DISCONNECTED  The daemon is gone, or did not answer in time: it may be set or not.
 * @retval PHX_BAD_HANDLE    Closed, stale, or used after fork().
 * @par Cost
 * One question to the daemon: some 10 to 50 us.
 * @since 0.1
 */
PHX_API phx_status phx_map_set(phx_map map, const char* key, phx_map_type type, const void* data,
                               size_t bytes);

/** As phx_map_set() with that type. @since 0.1 */
PHX_API phx_status phx_map_set_i8(phx_map map, const char* key, int8_t value);
PHX_API phx_status phx_map_set_u8(phx_map map, const char* key, uint8_t value);
PHX_API phx_status phx_map_set_i16(phx_map map, const char* key, int16_t value);
PHX_API phx_status phx_map_set_u16(phx_map map, const char* key, uint16_t value);
PHX_API phx_status phx_map_set_i32(phx_map map, const char* key, int32_t value);
PHX_API phx_status phx_map_set_u32(phx_map map, const char* key, uint32_t value);
PHX_API phx_status phx_map_set_i64(phx_map map, const char* key, int64_t value);
PHX_API phx_status phx_map_set_u64(phx_map map, const char* key, uint64_t value);
PHX_API phx_status phx_map_set_float(phx_map map, const char* key, float value);
PHX_API phx_status phx_map_set_double(phx_map map, const char* key, double value);
PHX_API phx_status phx_map_set_string(phx_map map, const char* key, const char* text);

/** Remove a key. @retval PHX_OK, PHX_NOT_FOUND, and those of phx_map_set(). @since 0.1 */
PHX_API phx_status phx_map_delete(phx_map map, const char* key);

/**
 * Add 1 to an integer; two that do so at once both count. phx_map_dec() subtracts 1.
 * @retval PHX_OK         Done.
 * @retval PHX_NOT_FOUND  No such key. PHX_WRONG_TYPE: it is no integer.
 * @retval PHX_OVERFLOW   Out of the type's range: it stays as it is.
 * @retval PHX_READ_ONLY, PHX_ACCESS, PHX_BAD_NAME, PHX_NAME_TOO_LONG, PHX_INVALID,
 * PHX_DISCONNECTED, PHX_BAD_HANDLE As for phx_map_set().
 * @since 0.1
 */
PHX_API phx_status phx_map_inc(phx_map map, const char* key);
PHX_API phx_status phx_map_dec(phx_map map, const char* key);

/**
 * The next key in order that begins with a prefix. Begin with an empty @p key; keys that come and
 * go meanwhile do no harm.
 *
 * @param prefix NULL or "": all keys.
 * @param key    PHX_MAP_KEY_BYTES_MAX + 1 bytes: in, the key to go on behind; out, the next one,
 *               when PHX_OK and PHX_TOO_BIG.
 * @param data, capacity, bytes, type Its value, as for phx_map_get().
 *
 * @retval PHX_OK        Here it is.
 * @retval PHX_NOT_FOUND There is no further one.
 * @retval PHX_TOO_BIG, PHX_NAME_TOO_LONG (of the prefix or key), PHX_INVALID, PHX_DISCONNECTED,
 * PHX_BAD_HANDLE As for phx_map_get().
 * @par Cost
 * As phx_map_get(); PHX_MAP_STATS asks the daemon once for many keys.
 * @since 0.1
 */
PHX_API phx_status phx_map_next(phx_map map, const char* prefix, char* key, void* data,
                                size_t capacity, size_t* bytes, phx_map_type* type);

/**
 * Be told, by phx_map_dispatch(), of each change from now on to a key, or to all keys with a
 * prefix: in the order in which they were made, with old and new value. The key need not exist.
 *
 * @param events   PHX_MAP_ADD, PHX_MAP_MODIFY and PHX_MAP_DELETE as wanted, and PHX_MAP_PREFIX.
 * @param key      A key, or with PHX_MAP_PREFIX a prefix (NULL or "": all keys).
 * @param tracker  Written when PHX_OK. May be NULL.
 *
 * @retval PHX_OK            Tracking.
 * @retval PHX_LIMIT         This handle has PHX_MAP_TRACKERS_MAX trackers.
 * @retval PHX_NOT_SUPPORTED PHX_MAP_STATS: its values come into being when they are read.
 * @retval PHX_INVALID       No callback, no event or an unknown one, or no key without a prefix.
 * @retval PHX_BAD_NAME, PHX_NAME_TOO_LONG, PHX_NO_MEMORY, PHX_DISCONNECTED, PHX_BAD_HANDLE As
 * for phx_map_set().
 * @since 0.1
 */
PHX_API phx_status phx_map_track_add(phx_map map, const char* key, uint32_t events,
                                     phx_map_callback callback, void* context,
                                     phx_map_tracker* tracker);

/** End a tracker. It is told nothing more, also of what was changed before.
 * @retval PHX_OK, PHX_NOT_FOUND, PHX_DISCONNECTED or PHX_BAD_HANDLE. @since 0.1 */
PHX_API phx_status phx_map_track_delete(phx_map map, phx_map_tracker tracker);

/**
 * Run the callbacks of the trackers.
 *
 * @param mode       PHX_DISPATCH_ONE: one change. PHX_DISPATCH_ALL: what is there now.
 *                   PHX_DISPATCH_FOREVER: everything, until the time is up or the handle is closed.
 * @param timeout_ms How long to wait for a first change: 0 not at all, -1 for ever.
 *
 * @retval PHX_OK           Something was told.
 * @retval PHX_TRY_AGAIN    Nothing came in time.
 * @retval PHX_DISCONNECTED The daemon is gone, and all that it had written was told.
 * @retval PHX_INVALID      An unknown mode, or called in a callback of the same handle.
 * @retval PHX_BAD_HANDLE   Closed (perhaps meanwhile), stale, or used after fork().
 * @par Cost
 * No system call for a change that is there. Each handle reads all changes of the map, also those
 * that concern none of its trackers.
 * @since 0.1
 */
PHX_API phx_status phx_map_dispatch(phx_map map, phx_dispatch_mode mode, int timeout_ms);

/**
 * A descriptor for poll(), select() or epoll: readable when phx_map_dispatch() has something to do,
 * or when the daemon is gone. Do not read or close it. It is the connected socket, so SO_PEERCRED
 * tells who made the daemon's. It may be readable in vain.
 * @retval PHX_OK, PHX_INVALID (NULL) or PHX_BAD_HANDLE.
 * @since 0.1
 */
PHX_API phx_status phx_map_fd(phx_map map, int* fd);

#ifdef __cplusplus
}
#endif

#endif
