/**
 * @file
 * One message of a batch: a part of ipc_client.h and ipc_server.h, which include it.
 */
#ifndef PHALANX_IPC_ITEM_H
#define PHALANX_IPC_ITEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One message of a batch. */
typedef struct phx_ipc_item {
  uint32_t id;
  const void* data;
  size_t bytes;
} phx_ipc_item;

#ifdef __cplusplus
}
#endif

#endif
