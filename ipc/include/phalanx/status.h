/**
 * @file
 * What calls of the library come to. A part of phalanx.h, which includes it.
 */
#ifndef PHALANX_STATUS_H
#define PHALANX_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define PHX_API __attribute__((visibility("default")))

/** What a call came to. Numbers never change; phx_strerror() has a sentence for each. */
typedef enum phx_status {
  PHX_OK = 0,
  PHX_TRY_AGAIN = 1,      /**< Not now: no room, nothing to dispatch, or re-attaching. */
  PHX_TOO_BIG = 2,        /**< The message or value is over the limit, or the buffer too small. */
  PHX_NOT_JOINED = 3,     /**< Not a group that was joined (or, to send, opened). */
  PHX_EXISTS = 4,         /**< Joined already. */
  PHX_NAME_TOO_LONG = 5,  /**< Over PHX_GROUP_NAME_BYTES_MAX, or PHX_MAP_KEY_BYTES_MAX. */
  PHX_NAME_EMPTY = 6,     /**< The group name is empty. */
  PHX_BAD_HANDLE = 7,     /**< Finalised, stale, or used after fork(). */
  PHX_ACCESS = 8,         /**< This user may not do that. */
  PHX_DISCONNECTED = 9,   /**< The data plane is gone and the handle was told not to re-attach. */
  PHX_EVICTED = 10,       /**< This client read too slowly and left all its groups. */
  PHX_NOT_SUPPORTED = 11, /**< This version cannot do that. */
  PHX_INVALID = 12,   /**< An argument makes no sense, or the call is not allowed in a callback. */
  PHX_NO_MEMORY = 13, /**< The system has no memory or descriptors left. */
  PHX_LIMIT = 14,     /**< Too many handles, groups, clients or trackers; a user's share is used. */
  PHX_NOT_RUNNING = 15,  /**< Nobody answers on this host for that instance. */
  PHX_VERSION = 16,      /**< The daemon speaks another version of the protocol. */
  PHX_NOT_FOUND = 17,    /**< No such key, or no further one. */
  PHX_WRONG_TYPE = 18,   /**< The value is of another type, or no integer. */
  PHX_WRONG_SIZE = 19,   /**< The bytes do not fit the type. */
  PHX_BAD_NAME = 20,     /**< A key that is too short or has a character that no key may have. */
  PHX_READ_ONLY = 21,    /**< A key of the daemon's own. */
  PHX_OVERFLOW = 22,     /**< The result would be out of the type's range. */
  PHX_FULL = 23,         /**< The map takes no more keys or bytes; a replica no more operations. */
  PHX_NOT_QUORATE = 24,  /**< Refused: this side of the cluster has no quorum. */
  PHX_IN_DOUBT = 25,     /**< Carried out, or about to be, where it could not be seen how. */
  PHX_TIMED_OUT = 26,    /**< The time given for it is over. */
  PHX_WRONG_THREAD = 27, /**< Another thread dispatches on this handle. */
  PHX_NOT_PINNED = 28,   /**< Nothing is pinned that this could give back. */
  PHX_PINNED = 29,       /**< What was got before has to be given back first. */
  PHX_REPLIED = 30,      /**< That request has its reply already. */
  PHX_WRONG_BUFFER = 31, /**< Freed, never allocated, or a buffer of another handle. */
  PHX_IN_USE = 32,       /**< The other side still reads that buffer. */
  PHX_FORKED = 33,       /**< Made before fork(): only the parent may use it. */
  PHX_BROKEN = 34,       /**< The other side wrote what no library would; it was cut off. */
  PHX_WRONG_LANE = 35    /**< A replicated state's group is not in lane 0: see lane.groups. */
} phx_status;

/** A sentence for a status, "unknown status" for any other number. Never NULL. @since 0.1 */
PHX_API const char* phx_strerror(phx_status status);

/** "PHX_TRY_AGAIN" for PHX_TRY_AGAIN, "PHX_UNKNOWN" for any other number. @since 0.1 */
PHX_API const char* phx_status_name(phx_status status);

#ifdef __cplusplus
}
#endif

#endif
