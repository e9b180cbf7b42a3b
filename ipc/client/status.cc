#include "ipc/include/phalanx/phalanx.h"

namespace {

struct Text {
  const char* name;
  const char* sentence;
};

/// Indexed by phx_status.
constexpr Text kTexts[] = {
    {"PHX_OK", "done"},
    {"PHX_TRY_AGAIN", "not possible at the moment; try again"},
    {"PHX_TOO_BIG", "the message is larger than this cluster allows"},
    {"PHX_NOT_JOINED", "the group is not joined or opened by this handle"},
    {"PHX_EXISTS", "the group is joined already"},
    {"PHX_NAME_TOO_LONG", "the group name is longer than 128 bytes"},
    {"PHX_NAME_EMPTY", "the group name is empty"},
    {"PHX_BAD_HANDLE", "the handle is finalised, stale or from before a fork"},
    {"PHX_ACCESS", "this user may not do that"},
    {"PHX_DISCONNECTED", "the data plane (or the supervisor) is gone"},
    {"PHX_EVICTED", "this client read too slowly and has left all its groups"},
    {"PHX_NOT_SUPPORTED", "not supported by this version"},
    {"PHX_INVALID", "an argument is invalid, or the call is not allowed here"},
    {"PHX_NO_MEMORY", "out of memory or file descriptors"},
    {"PHX_LIMIT", "a limit on handles, groups or clients is reached"},
    {"PHX_NOT_RUNNING", "no Phalanx of that instance runs on this host"},
    {"PHX_VERSION", "the daemon speaks another version of the attach protocol"},
};
constexpr unsigned kCount = sizeof kTexts / sizeof kTexts[0];
static_assert(kCount == PHX_VERSION + 1);

}  // namespace

const char* phx_strerror(phx_status status) {
  const auto index = static_cast<unsigned>(status);
  return index < kCount ? kTexts[index].sentence : "unknown status";
}

const char* phx_status_name(phx_status status) {
  const auto index = static_cast<unsigned>(status);
  return index < kCount ? kTexts[index].name : "PHX_UNKNOWN";
}
