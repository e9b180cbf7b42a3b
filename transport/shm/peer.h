#pragma once

#include <atomic>
#include <cstdint>

#include "ipc/base/fd.h"
#include "ipc/base/ids.h"
#include "ipc/base/time_ns.h"
#include "transport/shm/link_end.h"
#include "transport/shm/memory.h"

namespace phalanx::transport::shm {

/// Who has a link, and what comes next.
enum class Stage : std::uint8_t {
  Down,   ///< The meeting's: it is being made.
  Ready,  ///< The worker's, when it looks.
  Up,     ///< The worker's.
  Cut,    ///< The other end is gone: the worker is to let go.
  Left,   ///< The meeting's, to be taken apart.
};

/// Another node of this host.
struct Peer {
  NodeId node = 0;
  bool listens = false;  ///< This node does, as its id is lower; the peer connects.
  std::atomic<Stage> stage{Stage::Down};

  /// Of the meeting's thread; from Ready to Left they do not change.
  Fd socket;
  Memory own_page;
  Memory peers_page;
  Memory peers_frames;
  std::uint32_t peers_slots = 0;
  TimeNs try_at = 0;     ///< To connect, or, once connected, until when an answer must come.
  TimeNs try_pause = 0;  ///< Between two tries.

  /// Of the worker.
  LinkEnd end;
  bool member = false;
  std::uint32_t woken = 0;  ///< NodePage::sleeps when it was last woken.
};

}  // namespace phalanx::transport::shm
