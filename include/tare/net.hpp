#pragma once

// All headers of tare::net.

#include <tare/net/byte_stream.hpp>
#include <tare/net/connect.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/file.hpp>
#include <tare/net/idle.hpp>
#include <tare/net/lease.hpp>
#include <tare/net/listener.hpp>
#include <tare/net/peer_state.hpp>
#include <tare/net/pipe.hpp>
#include <tare/net/process.hpp>
#include <tare/net/readiness.hpp>
#include <tare/net/resolve.hpp>
#include <tare/net/result.hpp>
#include <tare/net/signal_set.hpp>
#include <tare/net/stream.hpp>
#include <tare/net/tls.hpp>
#include <tare/net/udp.hpp>
