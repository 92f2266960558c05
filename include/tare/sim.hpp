#pragma once

// Deterministic simulation: hosts, their network, their threads and time in one thread, from one seed. Link tare::sim,
// which gives the test program new definitions of libc's functions; production code runs unchanged.
//
//   TEST(chat, survives_a_partition) {
//     tare::sim::run({.seed = 7}, [](tare::sim::world& w) -> tare::task<> {
//       auto& server = w.add_host("server");
//       auto& alice = w.add_host("alice");
//       server.spawn(chat_server());
//       alice.spawn(chat_client("server", "80"));
//       co_await tare::sleep_for(1s);
//       w.partition(server, alice);
//       co_await tare::sleep_for(30s);
//       w.heal();
//     });
//   }
//
// docs/simulation.md says what is simulated and how to read a failure.

#include <tare/sim/disk.hpp>
#include <tare/sim/explore.hpp>
#include <tare/sim/run.hpp>
#include <tare/sim/wire.hpp>
#include <tare/sim/world.hpp>
