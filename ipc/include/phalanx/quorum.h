/**
 * @file
 * Quorum: whether this side of the cluster may act. A part of phalanx.h, which includes it.
 *
 * Messages flow in every view, also in that of a minority: quorum tells an application which side
 * of a split it is on. The flag is a part of the view, the same for all its members, and is at a
 * place of the agreed order: what is delivered after a view that is not quorate was delivered
 * without quorum. Which views are quorate is the daemons' configuration ([quorum]).
 */
#ifndef PHALANX_QUORUM_H
#define PHALANX_QUORUM_H

#include "phalanx.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A new view, as quorum sees it. Valid until the callback returns. */
typedef struct phx_quorum_view {
  uint64_t sequence; /**< With representative: the view's id, as in phx_node_view. */
  uint32_t representative;
  int quorate;             /**< 1: this view is. 0: it is not. */
  int changed;             /**< 1: the view before was otherwise, or there was none. */
  const uint32_t* members; /**< Node ids, sorted. */
  size_t member_count;
  const uint32_t* left;
  size_t left_count;
  const uint32_t* joined; /**< A node that restarted is in both lists. */
  size_t joined_count;
} phx_quorum_view;

/** What phx_quorum() tells. */
typedef struct phx_quorum_state {
  uint64_t sequence; /**< 0: no view was dispatched since this client attached. */
  uint32_t representative;
  int quorate;
} phx_quorum_state;

/**
 * Whether the view is quorate that was dispatched last, before or in the callback that runs. Not
 * quorate while there is none: before the first, and from PHX_EVENT_DISCONNECTED on.
 *
 * It says where this application is in the agreed order, not what the daemons know by now: a
 * program that dispatches late is told late, together with the messages.
 *
 * @retval PHX_OK         Written.
 * @retval PHX_INVALID    A NULL pointer.
 * @retval PHX_BAD_HANDLE Finalised, stale, or used after fork().
 * @par Thread safety
 * Any thread.
 * @since 0.1
 */
PHX_API phx_status phx_quorum(phx_handle handle, phx_quorum_state* state);

#ifdef __cplusplus
}
#endif

#endif
