#include "tests/sim/trace.h"

#include <cstdarg>

#include "dataplane/core/core.h"
#include "dataplane/core/record.h"
#include "transport/wire/header.h"
#include "transport/wire/messages.h"

namespace phalanx::sim {

void Trace::line(NodeId node, const char* event, const char* format, ...) {
  if (out_ == nullptr) return;
  std::fprintf(out_, "%10.3f n%-2u %-5s ", static_cast<double>(now_) / 1000.0, node, event);
  std::va_list arguments;
  va_start(arguments, format);
  std::vfprintf(out_, format, arguments);
  va_end(arguments);
  std::fputc('\n', out_);
}

const char* frame_name(std::uint8_t type) noexcept {
  switch (static_cast<wire::FrameType>(type)) {
    case wire::FrameType::Ordered:
      return "ordered";
    case wire::FrameType::Submit:
      return "submit";
    case wire::FrameType::Row:
      return "row";
    case wire::FrameType::Nak:
      return "nak";
    case wire::FrameType::RecoverLog:
      return "rlog";
    case wire::FrameType::RecoverTail:
      return "rtail";
    case wire::FrameType::RecoverNak:
      return "rnak";
    case wire::FrameType::Control:
      return "control";
  }
  return "?";
}

const char* record_name(std::uint8_t kind) noexcept {
  switch (static_cast<core::RecordKind>(kind)) {
    case core::RecordKind::App:
      return "app";
    case core::RecordKind::Join:
      return "join";
    case core::RecordKind::Leave:
      return "leave";
    case core::RecordKind::GroupState:
      return "groups";
    case core::RecordKind::HandOver:
      return "handover";
    case core::RecordKind::Pad:
      return "pad";
    case core::RecordKind::Transitional:
      return "transitional";
    case core::RecordKind::View:
      return "view";
  }
  return "?";
}

const char* message_name(std::uint8_t kind) noexcept {
  switch (static_cast<wire::MessageKind>(kind)) {
    case wire::MessageKind::Hello:
      return "hello";
    case wire::MessageKind::Prepare:
      return "prepare";
    case wire::MessageKind::Refusal:
      return "refusal";
    case wire::MessageKind::Report:
      return "report";
    case wire::MessageKind::Plan:
      return "plan";
    case wire::MessageKind::Done:
      return "done";
  }
  return "?";
}

const char* verdict_name(std::uint8_t verdict) noexcept {
  switch (static_cast<core::Verdict>(verdict)) {
    case core::Verdict::Accepted:
      return "ok";
    case core::Verdict::Malformed:
      return "malformed";
    case core::Verdict::WrongState:
      return "state";
    case core::Verdict::OutOfRange:
      return "range";
    case core::Verdict::Duplicate:
      return "duplicate";
    case core::Verdict::NotMember:
      return "stranger";
  }
  return "?";
}

}  // namespace phalanx::sim
