#pragma once

// What is set up for a thread that runs a shard.

#include <tare/shard_id.hpp>

#include <string>
#include <thread>

namespace tare::detail {

/// Names the calling thread NAME/NUMBER. Linux permits 15 characters; a longer name is cut.
void name_this_thread(const std::string& name, shard_id number) noexcept;

/// Binds the thread to one of the processors that the process may use: to the next one for each number. Throws
/// std::system_error.
void pin_thread(std::thread& thread, shard_id number);

}  // namespace tare::detail
