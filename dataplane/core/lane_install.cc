#include <algorithm>
#include <cstring>

#include "dataplane/core/lane.h"

namespace phalanx::core {

std::uint64_t Lane::append_local(const RecordHeader& header, std::span<const std::byte> payload,
                                 std::uint64_t at) noexcept {
  const std::size_t bytes = record_bytes(payload.size());
  PHX_CHECK(at + bytes - reader_.at() <= memory_.log.bytes);
  RecordHeader full = header;
  full.payload_bytes = static_cast<std::uint32_t>(payload.size());
  encode_record_header(full, local_at(at));
  std::memset(local_at(at) + kRecordHeaderBytes, 0, bytes - kRecordHeaderBytes);
  if (!payload.empty())
    std::memcpy(local_at(at) + kRecordHeaderBytes, payload.data(), payload.size());
  return at + bytes;
}

// The end of the old view for local readers: the rest of the regular part up to T, the transitional
// event, the rest up to the cut, the tails in member order. Nobody needs old positions any more
// (every member said DONE), so the event is put between the records by moving what follows it.
void Lane::finish_old_view() {
  PHX_CHECK(recovered());
  const Position cut = scanned_;
  Position regular = deliverable_;
  installed_from_ = base_ + deliverable_;
  while (regular < cut) {
    const Position end = regular + record_bytes(load_le<std::uint32_t>(log_.at(regular)));
    if (end > plan_.regular) break;
    regular = end;
  }
  PHX_CHECK(base_ + cut + kRecordHeaderBytes - reader_.at() <= memory_.log.bytes);
  std::memmove(log_.at(regular) + kRecordHeaderBytes, log_.at(regular), cut - regular);
  (void)append_local({.kind = RecordKind::Transitional}, {}, base_ + regular);
  std::uint64_t end = base_ + cut + kRecordHeaderBytes;
  for (std::size_t i = 0; i < set_ranks_.size(); ++i) {
    const std::size_t rank = set_ranks_[i];
    for (Position at = tails_[i].from; at < tails_[i].to;) {
      const std::byte* record = origin_at(rank, at);
      const RecordHeader header = decode_record_header(record);
      const std::size_t bytes = record_bytes(header.payload_bytes);
      if (header.stream_position != at || header.origin != view_.node(rank) ||
          bytes > tails_[i].to - at) {
        break;  // A member that writes no records into its stream: its own loss, the same
                // everywhere.
      }
      at += bytes;
      if (header.kind != RecordKind::App && header.kind != RecordKind::Join &&
          header.kind != RecordKind::Leave) {
        continue;  // A group state of the old view says nothing any more.
      }
      const std::span payload{record + kRecordHeaderBytes, header.payload_bytes};
      if (header.origin == config_.self) own_joins_.on_record(header, payload);
      end = append_local(header, payload, end);
      ++records_;
    }
  }
  base_ = end;
}

// Log positions restart at 0, stream positions never do. All rows, limits and timers of the old
// view are forgotten; this node's GROUP_STATE is the first it sends.
void Lane::install(std::span<const Position> stream_bases, const ViewRecord& record, TimeNs now) {
  std::vector<std::byte> payload(view_record_bytes(record.members.size()));
  encode_view_record(record, payload);
  base_ = append_local({.kind = RecordKind::View}, payload, base_);
  reader_.set_end(base_);
  log_.reset(memory_.log, base_, 0);
  scanned_ = deliverable_ = stable_ = sent_ = appended_ = 0;
  room_ = 0;
  scan_limit_ = first_safe_ = kNever;
  hash_.reset();
  states_seen_ = bad_origins_ = 0;
  barrier_ = frozen_ = poisoned_ = recovering_ = cut_reached_ = false;
  handovers_ = 0;
  peers_.fill({});
  for (std::size_t r = 0; r < view_.count; ++r) ordered_[r] = stream_bases[r];
  cached_origin_ = 0;
  stream_base_ = stream_end_ = submit_sent_ = stream_bases[view_.self];
  submit_limit_ = submit_received_ = 0;
  submit_window_.reset();
  bulk_wanted_ = 0;
  reserved_at_ = nullptr;
  move_ = {};
  state_pending_ = true;
  repairs_.clear();
  repairs_head_ = 0;
  log_gap_ = {};
  orderer_ = view_.node(id_ % view_.count);
  if (is_orderer()) start_ordering();
  row_at_ = now;
  row_back_off_ = 0;
  last_row_at_ = 0;
  frames_since_row_ = 0;
  period_start_ = handover_at_ = now;
  dirty_ = true;
  repeats_ = false;
}

}  // namespace phalanx::core
