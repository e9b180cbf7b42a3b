/**
 * @file
 * Guards: a program that is asked before its node leaves the cluster by an administrator's order
 * (`phalanx leave`). A part of libphalanx that needs no phx_handle.
 *
 * A veto is shown to the administrator with the guard's name, process and reason. It is a word, not
 * a lock: `--force`, a signal, and a crash ask nobody. A guard that ends is asked no more; one that
 * does not answer within five seconds counts as a veto.
 */
#ifndef PHALANX_GUARD_H
#define PHALANX_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Longest name or reason in bytes; what is longer is cut. */
#define PHX_GUARD_TEXT_BYTES_MAX 231

/** One guard of one node. */
typedef struct phx_guard phx_guard;

/**
 * Becomes a guard. Blocks until the control plane has said so, at most two seconds.
 *
 * @param instance Which node of this host; NULL: "default".
 * @param name     What the administrator reads; not empty.
 *
 * @retval PHX_OK          `*guard` is to be closed.
 * @retval PHX_INVALID     A NULL pointer or an empty name.
 * @retval PHX_NOT_RUNNING Nobody answers on this host for that instance.
 * @retval PHX_ACCESS      This user may not attach.
 * @retval PHX_LIMIT       There are as many guards as may be.
 * @retval PHX_VERSION     The control plane is of another version.
 * @retval PHX_NO_MEMORY   The system has no memory or descriptors left.
 * @par Thread safety
 * Any thread. The calls below: one thread at a time for one guard. Not to be used after fork().
 * @since 0.1
 */
PHX_API phx_status phx_guard_open(const char* instance, const char* name, phx_guard** guard);

/** A descriptor that is readable when phx_guard_next() has something to tell; perhaps in vain.
 * @since 0.1 */
PHX_API int phx_guard_fd(const phx_guard* guard);

/**
 * Takes the next question. Never blocks.
 *
 * @param question Its number, for phx_guard_answer().
 *
 * @retval PHX_OK           Written: shall the node leave?
 * @retval PHX_TRY_AGAIN    There is none.
 * @retval PHX_DISCONNECTED The control plane is gone: close, and open anew once it is back.
 * @since 0.1
 */
PHX_API phx_status phx_guard_next(phx_guard* guard, uint32_t* question);

/**
 * Answers a question. An answer to one that is over does no harm. Blocks until the control plane
 * has it, at most a second.
 *
 * @param agree  1: it may leave. 0: a veto.
 * @param reason Why not, for the administrator; may be NULL.
 *
 * @retval PHX_OK           The control plane has it.
 * @retval PHX_TRY_AGAIN    It did not take it in time: answer again in a moment.
 * @retval PHX_DISCONNECTED The control plane is gone.
 * @since 0.1
 */
PHX_API phx_status phx_guard_answer(phx_guard* guard, uint32_t question, int agree,
                                    const char* reason);

/** Guards no longer. NULL does nothing. @since 0.1 */
PHX_API void phx_guard_close(phx_guard* guard);

#ifdef __cplusplus
}
#endif

#endif
