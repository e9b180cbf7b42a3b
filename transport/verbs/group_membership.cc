#include "transport/verbs/group_membership.h"

#include <cerrno>
#include <utility>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace {

constexpr int kAnswerMs = 5000;
constexpr TimeNs kAnswer = kAnswerMs * kMillisecond;
constexpr const char* kOtherwise =
    "; or set transport.multicast = \"\" on all nodes to send copies";

}  // namespace

Expected<GroupMembership, Error> GroupMembership::join(const Device& device, const ibv_gid& group) {
  const std::string attempted = "cannot join the multicast group " + text(group);
  GroupMembership out(group, device.cm, device.gid.ndev_ifindex);
  if (device.cm == nullptr) {
    out.at_.grh.dgid = group;
    out.socket_ = calls::join_group(device.gid.ndev_ifindex, group);
    if (out.socket_ >= 0) return out;
    return fail(system_error(attempted, "setsockopt", errno,
                             "see whether the interface of " + device.name +
                                 " is up, and net.ipv4.igmp_max_memberships" + kOtherwise));
  }
  const std::string remedy =
      "see whether a subnet manager runs (sminfo), and "
      "whether this node is a full member of the "
      "partition" +
      std::string(kOtherwise);
  if (const int error = calls::join_cm(device.cm, group); error != 0) {
    return fail(system_error(attempted, "rdma_join_multicast", error, remedy));
  }
  out.asked_ = true;
  calls::CmEvent answer;
  if (!calls::take_cm_event(device.cm, kAnswerMs, &answer)) {
    return fail(Error{.code = ExitCode::TimeOut,
                      .attempted = attempted,
                      .observed = "the subnet manager did not answer in 5 s",
                      .remedy = remedy});
  }
  if (answer.error != 0) {
    return fail(
        Error{.code = ExitCode::Failed,
              .attempted = attempted,
              .observed = "the subnet manager refused, status " + std::to_string(answer.error),
              .remedy = remedy});
  }
  out.at_ = answer.group;
  return out;
}

bool GroupMembership::again(TimeNs now) noexcept {
  if (cm_ == nullptr) {
    if (socket_ >= 0) calls::leave_group(socket_);
    socket_ = calls::join_group(interface_, group_);
    return socket_ >= 0;
  }
  calls::CmEvent answer;
  if (waiting_ && calls::take_cm_event(cm_, 0, &answer)) {
    waiting_ = false;
    if (answer.error != 0) return false;
    at_ = answer.group;
    return true;
  }
  if (waiting_ && now < until_) return false;
  if (asked_) calls::leave_cm(cm_, group_);
  asked_ = waiting_ = calls::join_cm(cm_, group_) == 0;
  until_ = now + kAnswer;
  return false;
}

GroupMembership::GroupMembership(GroupMembership&& other) noexcept
    : group_(other.group_),
      cm_(other.cm_),
      interface_(other.interface_),
      socket_(std::exchange(other.socket_, -1)),
      asked_(std::exchange(other.asked_, false)),
      waiting_(other.waiting_),
      until_(other.until_),
      at_(other.at_) {}

GroupMembership::~GroupMembership() {
  if (socket_ >= 0) calls::leave_group(socket_);
  if (asked_) calls::leave_cm(cm_, group_);
}

}  // namespace phalanx::transport::verbs
