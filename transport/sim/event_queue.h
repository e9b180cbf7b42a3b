#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "ipc/base/assert.h"
#include "ipc/base/time_ns.h"

namespace phalanx::transport {

/// What happens when, earliest first; events of one time come out in the order they went in. A
/// four-way heap of 16-byte entries: two levels shorter than a binary one and one cache line a
/// level.
class EventQueue {
 public:
  struct Event {
    TimeNs at;
    std::uint32_t order;  ///< Wraps after 2^32 events; compared as a distance.
    std::uint32_t what;   ///< The caller's.
  };

  [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
  [[nodiscard]] TimeNs next_at() const noexcept { return heap_.empty() ? kNever : heap_[0].at; }

  void push(TimeNs at, std::uint32_t what) {
    heap_.push_back({at, order_++, what});
    std::size_t i = heap_.size() - 1;
    const Event event = heap_[i];
    for (std::size_t parent; i > 0 && before(event, heap_[parent = (i - 1) / 4]); i = parent) {
      heap_[i] = heap_[parent];
    }
    heap_[i] = event;
  }

  Event pop() noexcept {
    PHX_CHECK(!heap_.empty());
    const Event first = heap_[0];
    const Event last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sift_down(last);
    return first;
  }

  void clear() noexcept {
    heap_.clear();
    order_ = 0;
  }

 private:
  static bool before(const Event& a, const Event& b) noexcept {
    return a.at != b.at ? a.at < b.at : static_cast<std::int32_t>(a.order - b.order) < 0;
  }

  void sift_down(const Event& event) noexcept {
    std::size_t i = 0;
    for (;;) {
      const std::size_t child = 4 * i + 1;
      if (child >= heap_.size()) break;
      std::size_t least = child;
      const std::size_t end = child + 4 < heap_.size() ? child + 4 : heap_.size();
      for (std::size_t c = child + 1; c < end; ++c) {
        if (before(heap_[c], heap_[least])) least = c;
      }
      if (!before(heap_[least], event)) break;
      heap_[i] = heap_[least];
      i = least;
    }
    heap_[i] = event;
  }

  std::vector<Event> heap_;
  std::uint32_t order_ = 0;
};

}  // namespace phalanx::transport
