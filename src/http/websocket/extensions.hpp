#pragma once

// The negotiation of permessage-deflate (RFC 7692, section 7.1). Always without context takeover, in both directions.

#include <tare/http/fields.hpp>

#include <optional>
#include <string_view>

namespace tare::http::detail {

/// What a client offers.
inline constexpr std::string_view deflate_offer =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The server's response to what a client offers: to the first offer that it can accept. Nothing if there is none.
[[nodiscard]] std::optional<std::string_view> accept_deflate(fields_view request) noexcept;

/// Whether a server has accepted `deflate_offer`; nullopt if its response is not one to this offer.
[[nodiscard]] std::optional<bool> is_deflate_accepted(fields_view response) noexcept;

}  // namespace tare::http::detail
