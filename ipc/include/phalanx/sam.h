/**
 * @file
 * Supervision: a process makes a supervisor of itself and runs on as its child.
 *
 * phx_sam_register() forks. The process that called it never returns from it: it has become the
 * supervisor. The call returns in the child, which is instance 1 of the program, and again in
 * instance 2, 3 ... of it, each a fresh fork of the state that the program had at the call.
 * No daemon is needed but for PHX_SAM_WITH_QUORUM.
 *
 * An instance has *failed* when, before phx_sam_finalize(), it
 *  - is ended by a signal, or ends in any way between phx_sam_start() and phx_sam_stop();
 *  - is late: started, and no phx_sam_hc_send() for the interval. The supervisor sends the warning
 *    signal, and SIGKILL an interval later. Once warned an instance is not forgiven;
 *  - is found unhealthy by its own callback: treated as late;
 *  - calls phx_sam_mark_failed(): SIGKILL at once;
 *  - is started when quorum is lost, with PHX_SAM_WITH_QUORUM: treated as late.
 *
 * After a failure PHX_SAM_RESTART forks the next instance, with back-off; PHX_SAM_QUIT ends the
 * supervisor. An instance that exits while not started has not failed: it is done. The supervisor
 * ends with the exit status of the last instance, 128 + N when signal N ended it, and 1 when it
 * failed with status 0. It ends by _exit(): what atexit() holds runs in the instances only.
 *
 * The supervisor passes SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1 and SIGUSR2 on, unless they were
 * ignored when it registered. After the first three there is no next instance; health checks go
 * on, and stop_ms bounds the rest. It dies only with its last instance or by SIGKILL; then the
 * kernel sends the warning signal to the instance, whose calls give PHX_DISCONNECTED from then on.
 *
 * What is open, mapped or running at phx_sam_register() stays so in the supervisor, and every
 * instance inherits it: register early. Descriptors of the supervision itself are close-on-exec.
 * Time is CLOCK_MONOTONIC; a supervisor that was itself stopped past a deadline sets a new one.
 *
 * Thread safety: phx_sam_hc_send() and phx_sam_mark_failed() may be called by any thread and in
 * signal handlers. All others: one thread at a time, not in a signal handler.
 */
#ifndef PHALANX_SAM_H
#define PHALANX_SAM_H

#include <phalanx/phalanx.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PHX_SAM_DATA_BYTES_MAX 65536

/** What to do when an instance has failed. */
typedef enum phx_sam_policy {
  PHX_SAM_QUIT = 1,   /**< End. */
  PHX_SAM_RESTART = 2 /**< Start the next instance. */
} phx_sam_policy;

/** Flags of phx_sam_options. */
#define PHX_SAM_WITH_QUORUM 0x08u    /**< Run only where the cluster is quorate. */
#define PHX_SAM_WITH_MAP 0x10u       /**< Publish the state in this host's map. */
#define PHX_SAM_EXIT_ZERO_ENDS 0x20u /**< Exit status 0 is no failure, even when started. */

/** What the supervisor has to tell. */
typedef enum phx_sam_event {
  PHX_SAM_STARTED = 1,     /**< An instance was forked. */
  PHX_SAM_LATE = 2,        /**< No health check in time: warned. */
  PHX_SAM_UNHEALTHY = 3,   /**< Its callback said so: warned. */
  PHX_SAM_MARKED = 4,      /**< It called phx_sam_mark_failed(): SIGKILL. */
  PHX_SAM_KILLED = 5,      /**< It outlived the warning or stop_ms: SIGKILL. */
  PHX_SAM_FAILED = 6,      /**< It ended, and that was a failure. */
  PHX_SAM_ENDED = 7,       /**< It ended in order, or because the supervisor was told to stop. */
  PHX_SAM_NOT_FORKED = 8,  /**< fork() failed; it is tried again after restart_ms. */
  PHX_SAM_WAITING = 9,     /**< It is to start, and waits for quorum. */
  PHX_SAM_QUORUM_LOST = 10 /**< It had started, and quorum is lost: warned. */
} phx_sam_event;

typedef struct phx_sam_report {
  phx_sam_event event;
  uint32_t instance;
  int32_t pid;         /**< 0 with PHX_SAM_NOT_FORKED. */
  int32_t wait_status; /**< As of waitpid(), with PHX_SAM_FAILED and PHX_SAM_ENDED. */
  int32_t restart_ms;  /**< Until the next instance, or -1: there will be none. */
} phx_sam_report;

/** How to supervise. Zero every field that you do not set: 0 and NULL mean the default. */
typedef struct phx_sam_options {
  size_t struct_bytes; /**< sizeof(phx_sam_options), so that fields can be added later. */
  int interval_ms;     /**< Longest time between two health checks. 0: any. */
  phx_sam_policy policy;
  uint32_t flags;
  int restart_delay_ms; /**< Before the next instance. Default 100. Doubled for each instance that
                           failed sooner than restart_delay_max_ms after its start. */
  int restart_delay_max_ms; /**< Default 10000. */
  int stop_ms; /**< From a stop signal to SIGKILL. Default: health checks are the only limit. */
  /** Run in the supervisor; be quick. Default: a line on standard error for each failure. */
  void (*report)(void* context, const phx_sam_report* report);
  void* context;
  /** With PHX_SAM_WITH_QUORUM or PHX_SAM_WITH_MAP: of which Phalanx of this host, as in
   * phx_options. Not copied. */
  const char* instance;
} phx_sam_options;

/**
 * Say how this process is to be supervised. Forks nothing yet.
 *
 * @retval PHX_OK            Ready for phx_sam_register().
 * @retval PHX_EXISTS        Initialised already, or this process is an instance: one life each.
 * @retval PHX_INVALID       NULL, a wrong struct_bytes, policy or flag, a negative time, or
 *                           restart_delay_ms over restart_delay_max_ms.
 * @since 0.1
 */
PHX_API phx_status phx_sam_initialize(const phx_sam_options* options);

/**
 * Fork: the caller becomes the supervisor, the call returns in each instance. Flushes stdio first,
 * so that no instance writes again what the caller had buffered.
 *
 * @param instance Written with 1, 2, 3 ... May be NULL.
 *
 * @retval PHX_OK         In an instance.
 * @retval PHX_BAD_HANDLE Not initialised, or registered already.
 * @retval PHX_INVALID    The process has more than one thread: they would live on in the
 * supervisor.
 * @retval PHX_NO_MEMORY  No process, memory or descriptors left; the caller goes on as it was.
 * @since 0.1
 */
PHX_API phx_status phx_sam_register(uint32_t* instance);

/**
 * Promise to be healthy from now on: the first interval begins. With a callback registered and an
 * interval, a thread of its own calls it three times an interval.
 *
 * With PHX_SAM_WITH_QUORUM it waits, for ever if need be, until the cluster is quorate. When a view
 * is not quorate, or the data plane goes, the started instance is warned, and killed an interval
 * later (without an interval: stop_ms later); so is one that would be quorate again meanwhile.
 *
 * @retval PHX_OK           Started.
 * @retval PHX_EXISTS       Started already.
 * @retval PHX_BAD_HANDLE   Not registered, finalised, or used after fork().
 * @retval PHX_DISCONNECTED The supervisor is gone.
 * @retval PHX_TRY_AGAIN    The supervisor does not read what it is told (stopped?). Or a signal was
 *                          handled during the wait for quorum: not started.
 * @retval PHX_NO_MEMORY    No thread for the callback.
 * @since 0.1
 */
PHX_API phx_status phx_sam_start(void);

/**
 * End the promise; phx_sam_start() renews it. Waits for a callback that runs, unless called by it.
 * @retval PHX_OK, PHX_BAD_HANDLE (not started, or as above), PHX_DISCONNECTED, PHX_TRY_AGAIN.
 * @since 0.1
 */
PHX_API phx_status phx_sam_stop(void);

/**
 * Say "I am healthy". One non-blocking system call.
 *
 * @retval PHX_OK           Said.
 * @retval PHX_BAD_HANDLE   Not started, finalised, or used after fork().
 * @retval PHX_DISCONNECTED The supervisor is gone.
 * @retval PHX_TRY_AGAIN    The supervisor does not read what it is told (stopped?).
 * @since 0.1
 */
PHX_API phx_status phx_sam_hc_send(void);

/**
 * Let the library ask instead: 0 from @p healthy is a health check, anything else a failure. Runs
 * in a thread of its own in which all signals are blocked. NULL: back to phx_sam_hc_send().
 *
 * @retval PHX_OK         From the next phx_sam_start() on.
 * @retval PHX_BAD_HANDLE Not registered, started already, finalised, or used after fork().
 * @since 0.1
 */
PHX_API phx_status phx_sam_hc_callback_register(int (*healthy)(void));

/**
 * The signal that warns a failing instance. Default SIGTERM. Holds for later instances too. To be
 * called in the thread that phx_sam_register() returned in: the kernel warns that one when the
 * supervisor dies, and asks it alone for the signal. So phx_sam_finalize().
 * @retval PHX_OK, PHX_INVALID (no such signal), PHX_BAD_HANDLE (not initialised, finalised, or used
 * after fork()), PHX_DISCONNECTED, PHX_TRY_AGAIN.
 * @since 0.1
 */
PHX_API phx_status phx_sam_warn_signal_set(int signal);

/**
 * Say "I have failed": SIGKILL follows without a warning, then the policy. It may return first.
 * @retval PHX_OK, PHX_BAD_HANDLE (not registered, finalised, or used after fork()),
 * PHX_DISCONNECTED, PHX_TRY_AGAIN.
 * @since 0.1
 */
PHX_API phx_status phx_sam_mark_failed(void);

/**
 * Keep bytes for the next instance, in place of those kept before. They are kept in the memory of
 * the supervisor, so nothing that this instance does later harms them: even when it is killed
 * during the call, the next one finds the old bytes or the new, whole.
 *
 * @param data  May be NULL only when @p bytes is 0, which keeps nothing.
 * @param bytes At most PHX_SAM_DATA_BYTES_MAX.
 *
 * @retval PHX_OK           Kept.
 * @retval PHX_TOO_BIG      Over PHX_SAM_DATA_BYTES_MAX.
 * @retval PHX_INVALID      NULL with bytes.
 * @retval PHX_BAD_HANDLE   Not initialised, finalised, or used after fork().
 * @retval PHX_DISCONNECTED The supervisor is gone. PHX_TRY_AGAIN: it does not read.
 * @since 0.1
 */
PHX_API phx_status phx_sam_data_store(const void* data, size_t bytes);

/** How many bytes are kept. @retval PHX_OK, PHX_INVALID or PHX_BAD_HANDLE. @since 0.1 */
PHX_API phx_status phx_sam_data_getsize(size_t* bytes);

/**
 * Copy what is kept to @p data.
 * @retval PHX_OK, PHX_INVALID (NULL, or @p capacity is less than what is kept), PHX_BAD_HANDLE.
 * @since 0.1
 */
PHX_API phx_status phx_sam_data_restore(void* data, size_t capacity);

/**
 * End the supervision: nothing that this process does is a failure from here on. The supervisor
 * waits for its end and passes the exit status on.
 *
 * @retval PHX_OK         Done. Before phx_sam_register(): as if never initialised.
 * @retval PHX_BAD_HANDLE Not initialised, finalised, or used after fork().
 * @retval PHX_TRY_AGAIN  The supervisor does not read what it is told: still supervised.
 * @since 0.1
 */
PHX_API phx_status phx_sam_finalize(void);

#ifdef __cplusplus
}
#endif

#endif
