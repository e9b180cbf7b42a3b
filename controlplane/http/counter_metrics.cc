#include "controlplane/http/counter_metrics.h"

#include <array>

namespace phalanx::http {
namespace {

using shm::Counter;

constexpr const char* kDropped =
    "Frames without effect. other_version, unknown_key: nodes of two builds, keys or clusters; "
    "bad_tag, replayed: forged or damaged; duplicate, wrong_state: normal in small numbers.";

constexpr std::array kMetrics = {
    CounterMetric{Counter::Turns, "phx_worker_turns_total", nullptr, 1, "Turns of the worker."},
    CounterMetric{Counter::IdleTurns, "phx_worker_idle_turns_total", nullptr, 1,
                  "Turns that found no work."},
    CounterMetric{Counter::BusyNs, "phx_worker_busy_seconds_total", nullptr, 1e-9,
                  "Time in turns that found work. Its rate is the worker's load: near 1, add lanes "
                  "and cores."},
    CounterMetric{Counter::Sleeps, "phx_worker_sleeps_total", nullptr, 1,
                  "Times that the worker slept for want of work."},
    CounterMetric{Counter::DistrustedMs, "phx_worker_distrusted_seconds_total", nullptr, 1e-3,
                  "Time for which the worker was not scheduled, in stretches of half dead_after "
                  "and more. Grows: give it a core."},
    CounterMetric{Counter::WakesAsked, "phx_client_wakes_total", nullptr, 1,
                  "Clients that were woken."},
    CounterMetric{Counter::RxFrames, "phx_frames_received_total", nullptr, 1, "Frames read."},
    CounterMetric{Counter::RxBytes, "phx_frame_bytes_received_total", nullptr, 1, "Their bytes."},
    CounterMetric{Counter::RxBursts, "phx_bursts_received_total", nullptr, 1,
                  "Reads of the wire that brought frames."},
    CounterMetric{Counter::TxFrames, "phx_frames_sent_total", nullptr, 1, "Frames sent."},
    CounterMetric{Counter::TxBytes, "phx_frame_bytes_sent_total", nullptr, 1, "Their bytes."},
    CounterMetric{Counter::TxBursts, "phx_bursts_sent_total", nullptr, 1, "Writes to the wire."},
    CounterMetric{Counter::WireOverflow, "phx_frames_lost_total", nullptr, 1,
                  "Lost at the receive ring, as far as the wire tells. Grows: the worker is too "
                  "slow or transport.receive_buffer too small."},
    CounterMetric{Counter::WireRefused, "phx_frames_refused_total", "received", 1,
                  "Frames of others on the port, and frames that the wire did not take."},
    CounterMetric{Counter::WireTxRefused, "phx_frames_refused_total", "sent", 1, ""},
    CounterMetric{Counter::RxMalformed, "phx_frames_dropped_total", "malformed", 1, kDropped},
    CounterMetric{Counter::RxOtherVersion, "phx_frames_dropped_total", "other_version", 1, ""},
    CounterMetric{Counter::RxOwnNode, "phx_frames_dropped_total", "own_node", 1, ""},
    CounterMetric{Counter::RxUnknownSender, "phx_frames_dropped_total", "unknown_sender", 1, ""},
    CounterMetric{Counter::RxUnknownKey, "phx_frames_dropped_total", "unknown_key", 1, ""},
    CounterMetric{Counter::RxOtherReceiver, "phx_frames_dropped_total", "other_receiver", 1, ""},
    CounterMetric{Counter::RxReplayed, "phx_frames_dropped_total", "replayed", 1, ""},
    CounterMetric{Counter::RxBadTag, "phx_frames_dropped_total", "bad_tag", 1, ""},
    CounterMetric{Counter::RxOutOfRange, "phx_frames_dropped_total", "out_of_range", 1, ""},
    CounterMetric{Counter::RxDuplicate, "phx_frames_dropped_total", "duplicate", 1, ""},
    CounterMetric{Counter::RxCopies, "phx_frames_dropped_total", "copy", 1, ""},
    CounterMetric{Counter::RxWrongState, "phx_frames_dropped_total", "wrong_state", 1, ""},
    CounterMetric{Counter::RxNotMember, "phx_frames_dropped_total", "not_member", 1, ""},
    CounterMetric{Counter::NaksSent, "phx_retransmits_total", "asked", 1,
                  "Requests sent for lost frames, heard from others, and frames sent again."},
    CounterMetric{Counter::NaksHeard, "phx_retransmits_total", "heard", 1, ""},
    CounterMetric{Counter::RepairsSent, "phx_retransmits_total", "repaired", 1, ""},
    CounterMetric{Counter::Divergences, "phx_order_divergences_total", nullptr, 1,
                  "Order hashes of others that contradicted ours. More than 0: report it."},
    CounterMetric{Counter::Handovers, "phx_orderer_handovers_total", nullptr, 1,
                  "The ordering of a lane went to another node."},
    CounterMetric{Counter::ViewsInstalled, "phx_views_installed_total", nullptr, 1,
                  "Views installed. Grows without a reason that you know: phalanx status."},
    CounterMetric{Counter::ControlMessagesIn, "phx_control_messages_received_total", nullptr, 1,
                  "Messages between control planes."},
    CounterMetric{Counter::ControlMessagesOut, "phx_control_messages_sent_total", nullptr, 1,
                  "Likewise."},
    CounterMetric{Counter::ControlMessagesLost, "phx_control_messages_lost_total", nullptr, 1,
                  "For which the wire had no room; they are sent again."},
    CounterMetric{Counter::CommandsBad, "phx_commands_bad_total", nullptr, 1,
                  "Commands of the control plane that made no sense. More than 0: report it."},
    CounterMetric{Counter::EventsLost, "phx_events_lost_total", nullptr, 1,
                  "Events that found the control plane's ring full. Grows: it is stopped."},
    CounterMetric{Counter::Submitted, "phx_messages_sent_total", nullptr, 1,
                  "Submissions taken from clients of this node."},
    CounterMetric{Counter::SubmittedBytes, "phx_message_bytes_sent_total", nullptr, 1,
                  "Their bytes."},
    CounterMetric{Counter::SubmissionsRefused, "phx_messages_refused_total", nullptr, 1,
                  "Submissions for groups that the client may not send to."},
    CounterMetric{Counter::RecordsDelivered, "phx_records_delivered_total", nullptr, 1,
                  "Records of all lanes that local delivery has passed."},
    CounterMetric{Counter::RecordBytesDelivered, "phx_record_bytes_delivered_total", nullptr, 1,
                  "Their bytes."},
    CounterMetric{Counter::EventsDelivered, "phx_messages_delivered_total", nullptr, 1,
                  "Messages and events put into the rings of clients."},
    CounterMetric{Counter::ClientsAttached, "phx_client_attaches_total", nullptr, 1,
                  "Clients that came."},
    CounterMetric{Counter::ClientsDetached, "phx_client_detaches_total", nullptr, 1,
                  "Clients that went."},
    CounterMetric{Counter::ClientsEvicted, "phx_client_evictions_total", nullptr, 1,
                  "Clients that read too slowly. Grows: phalanx top --view clients."},
    CounterMetric{Counter::ClientsBad, "phx_client_lies_total", nullptr, 1,
                  "Clients that wrote what no library writes, and were cut."},
};
static_assert(kMetrics.size() == shm::kCounters);

}  // namespace

std::span<const CounterMetric> counter_metrics() noexcept { return kMetrics; }

}  // namespace phalanx::http
