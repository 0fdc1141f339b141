// Reading the queue of a session or a share group, a page at a time. For the pool: it may wait for
// the disk.
#pragma once

#include "broker/mail.h"
#include "broker/records.h"
#include "partition/slots.h"
#include "store/store.h"

namespace gnomon::broker {

// Reads entries [from, to) of the queue `number` in `table` into `page`, at most a page of them and
// none behind `bytes_max`; page.read_to says how far it came. With `bodies`, bodies that entries
// share are fetched too. page.damaged if the store fails, holds what is no entry, or lacks a body
// (which is so if the queue is purged meanwhile).
void read_queue(const store::Store& store, records::Table table, partition::SlotId slot,
                std::uint64_t number, std::uint64_t from, std::uint64_t to, std::size_t bytes_max,
                bool bodies, Page& page);

}  // namespace gnomon::broker
