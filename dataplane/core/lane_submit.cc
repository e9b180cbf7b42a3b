#include <cstring>

#include "dataplane/core/lane.h"

namespace phalanx::core {

// The orderer's own records go straight into the log while none of its stream waits to be ordered;
// all others go into the stream. Two bounds keep a tail small enough to be held by every member at
// a view change: the orderer's limit, and a window above what this node itself saw ordered. A
// record longer than the window waits for the lane's bulk grant (rule 3.7).
std::byte* Lane::reserve(std::uint32_t payload_bytes) noexcept {
  const std::size_t bytes = record_bytes(payload_bytes);
  PHX_CHECK(bytes <= config_.record_bytes_max);
  if (!running() || state_pending_) return nullptr;
  const Position ordered = ordered_[view_.self];
  reserved_bytes_ = payload_bytes;
  if (is_orderer() && ordered == stream_end_) {
    if (!barrier_ || bytes > direct_budget_ || !has_room(bytes)) return nullptr;
    reserved_direct_ = true;
    return log_.at(log_.received()) + kRecordHeaderBytes;
  }
  const Position end = stream_end_ + bytes;
  const bool bulk = bytes > config_.submit_window_bytes;
  // Before the barrier the grant is for group states alone, which are the first in their streams.
  if (bulk && !barrier_ && stream_end_ != stream_base_) return nullptr;
  const bool granted = is_orderer() ? !bulk : end <= submit_limit_;
  if (bulk && !granted && !is_orderer() && bulk_wanted_ != bytes) {
    bulk_wanted_ = static_cast<std::uint32_t>(bytes);
    touch();
  }
  if (!granted || (!bulk && end - ordered > config_.submit_window_bytes) ||
      end - ordered > memory_.stream.bytes) {
    return nullptr;
  }
  reserved_direct_ = false;
  return memory_.stream.data + (stream_end_ & (memory_.stream.bytes - 1)) + kRecordHeaderBytes;
}

void Lane::commit(const RecordHeader& header) noexcept {
  PHX_CHECK(header.payload_bytes == reserved_bytes_);
  const std::size_t bytes = record_bytes(header.payload_bytes);
  RecordHeader full = header;
  full.origin = config_.self;
  full.stream_position = stream_end_;
  std::byte* at = reserved_direct_
                      ? log_.at(log_.received())
                      : memory_.stream.data + (stream_end_ & (memory_.stream.bytes - 1));
  encode_record_header(full, at);
  const std::size_t used = kRecordHeaderBytes + header.payload_bytes;
  std::memset(at + used, 0, bytes - used);
  stream_end_ += bytes;
  touch();
  if (reserved_direct_) {
    direct_budget_ -= bytes;
    period_bytes_[view_.self] += bytes;
    submit_sent_ = taken_[view_.self] = stream_end_;
    append_to_log(bytes);
    scan();
  } else if (bytes == bulk_wanted_) {
    bulk_wanted_ = 0;
  }
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
  PHX_CHECK(bytes <= config_.record_bytes_max);
  state_pending_ = false;  // reserve() refuses everything else while it is set.
  reserved_bytes_ = payload_bytes;
  std::byte* at = nullptr;
  if (is_orderer() && ordered_[view_.self] == stream_end_) {
    if (appendable(bytes)) {
      at = log_.at(log_.received()) + kRecordHeaderBytes;
      reserved_direct_ = true;
      direct_budget_ = bytes;
    }
  } else {
    at = reserve(payload_bytes);
  }
  if (at == nullptr) {
    state_pending_ = true;
    return;
  }
  own_joins_.encode({at, payload_bytes});
  commit({.payload_bytes = payload_bytes, .kind = RecordKind::GroupState});
}

}  // namespace phalanx::core
