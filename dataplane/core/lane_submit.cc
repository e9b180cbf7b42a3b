#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/core/lane.h"

namespace phalanx::core {
namespace {

constexpr TimeNs kBulkPatience =
    100 * kMillisecond;  // A worker offers a waiting record every turn.

}  // namespace

// The orderer's own records go straight into the log while none of its stream waits to be ordered;
// all others go into the stream. Two bounds keep a tail small enough to be held by every member at
// a view change: the orderer's limit, and a window above what this node itself saw ordered. A
// record longer than the window waits for the lane's bulk grant (rule 3.7).
std::byte* Lane::reserve(std::uint32_t payload_bytes) noexcept {
  const std::size_t bytes = record_bytes(payload_bytes);
  PHX_CHECK(bytes <= config_.record_bytes_max);
  // Before the barrier only group states: it closes once every member has room for an install
  // again.
  if (!running() || !barrier_ || reserved_at_ != nullptr) return nullptr;
  if (is_orderer() && own_stream_ordered()) {
    if (bytes > direct_budget_ || !has_room(bytes)) {
      own_refused_ = std::max<std::uint64_t>(own_refused_, bytes);
      return nullptr;
    }
    return reserve_at(log_.at(log_.received()), payload_bytes, true);
  }
  return reserve_in_stream(payload_bytes);
}

// The last word is cleared now, so that the payload's end leaves zeros behind it.
std::byte* Lane::reserve_at(std::byte* at, std::uint32_t payload_bytes, bool direct) noexcept {
  reserved_at_ = at;
  reserved_bytes_ = payload_bytes;
  reserved_direct_ = direct;
  if (payload_bytes % 8 != 0) store_le<std::uint64_t>(at + record_bytes(payload_bytes) - 8, 0);
  return at + kRecordHeaderBytes;
}

std::byte* Lane::reserve_in_stream(std::uint32_t payload_bytes) noexcept {
  const std::size_t bytes = record_bytes(payload_bytes);
  const Position end = stream_end_ + bytes;
  const Position tail = end - ordered_[view_.self];
  const bool bulk = bytes > config_.submit_window_bytes;
  const bool granted = is_orderer() ? !bulk : end <= submit_limit_;
  if (bulk && !is_orderer()) {
    if (!granted && bulk_wanted_ == 0) touch();
    if (!granted && bulk_wanted_ == 0) bulk_wanted_ = static_cast<std::uint32_t>(bytes);
    bulk_asked_ = bulk_asked_ || bytes == bulk_wanted_;
    if (bulk_wanted_ != 0 && bytes != bulk_wanted_) return nullptr;  // One want at a time.
  }
  const std::uint64_t tail_max =
      config_.submit_window_bytes + (bulk ? std::uint64_t{config_.record_bytes_max} : 0);
  if (!granted || tail > tail_max) return nullptr;
  return reserve_at(memory_.stream.data + (stream_end_ & (memory_.stream.bytes - 1)), payload_bytes,
                    false);
}

void Lane::commit(const RecordHeader& header) noexcept {
  PHX_CHECK(reserved_at_ != nullptr && header.payload_bytes == reserved_bytes_);
  const std::size_t bytes = record_bytes(header.payload_bytes);
  RecordHeader full = header;
  full.origin = config_.self;
  full.stream_position = stream_end_;
  encode_record_header(full, std::exchange(reserved_at_, nullptr));
  stream_end_ += bytes;
  touch();
  if (reserved_direct_) {
    direct_budget_ -= std::min<std::uint64_t>(direct_budget_, bytes);
    own_served_ = true;
    period_bytes_[view_.self] += bytes;
    submit_sent_ = taken_[view_.self] = stream_end_;
    append_to_log(bytes);  // on_time() scans it, once for all that a turn appends.
  } else if (bytes == bulk_wanted_) {
    bulk_wanted_ = 0;
  }
}

// Once a message: the compiler inlines reserve() and commit(), and the header goes straight to its
// place.
bool Lane::append(const AppMessage& message) noexcept {
  const auto size = static_cast<std::uint32_t>(message.payload.size());
  std::byte* room = reserve(size);
  if (room == nullptr) return false;
  if (size > 0) std::memcpy(room, message.payload.data(), size);
  commit(header_of(message));
  return true;
}

void Lane::append_own(const RecordHeader& header, std::span<const std::byte> payload) noexcept {
  RecordHeader full = header;
  full.payload_bytes = static_cast<std::uint32_t>(payload.size());
  full.origin = config_.self;
  full.stream_position = stream_end_;
  std::byte* at = log_.at(log_.received());
  encode_record_header(full, at);
  const std::size_t bytes = record_bytes(payload.size());
  std::memset(at + kRecordHeaderBytes, 0, bytes - kRecordHeaderBytes);
  if (!payload.empty()) std::memcpy(at + kRecordHeaderBytes, payload.data(), payload.size());
  stream_end_ += bytes;
  submit_sent_ = taken_[view_.self] = stream_end_;
  append_to_log(bytes);
  touch();
  scan();
}

// The first record of a view is this node's ordered joins (rule: barrier). It travels like any
// other.
void Lane::send_group_state() noexcept {
  const auto payload_bytes = static_cast<std::uint32_t>(own_joins_.state_bytes());
  const std::size_t bytes = record_bytes(payload_bytes);
  if (bytes > config_.record_bytes_max) {
    poisoned_ = true;  // This node never submits so many joins: somebody ordered them in its name.
    return;
  }
  std::byte* at = nullptr;
  if (is_orderer() && own_stream_ordered()) {
    if (end_of_log_is_taken() || !appendable(bytes)) return;
    at = reserve_at(log_.at(log_.received()), payload_bytes, true);
    direct_budget_ = bytes;
  } else {
    at = reserve_in_stream(payload_bytes);
    if (at == nullptr) return;
  }
  state_pending_ = false;
  own_joins_.encode({at, payload_bytes});
  commit({.payload_bytes = payload_bytes, .kind = RecordKind::GroupState});
  scan();
}

// A want that was told is used: a limit once promised cannot be taken back, and until its bytes
// came nobody else gets the grant. When whoever wanted it has gone, padding takes its place.
void Lane::keep_bulk_promise(TimeNs now) noexcept {
  if (bulk_asked_ || bulk_wanted_ == 0 || reserved_at_ != nullptr) bulk_asked_at_ = now;
  bulk_asked_ = false;
  if (bulk_wanted_ == 0 || now < bulk_asked_at_ + kBulkPatience) return;
  const auto payload_bytes = static_cast<std::uint32_t>(bulk_wanted_ - kRecordHeaderBytes);
  std::byte* at = reserve_in_stream(payload_bytes);
  bulk_asked_ = false;
  if (at == nullptr) return;
  std::memset(at, 0, payload_bytes);
  commit({.payload_bytes = payload_bytes, .kind = RecordKind::Pad});
}

}  // namespace phalanx::core
