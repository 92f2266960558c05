#pragma once

// The names of LLVM types, which clang gives to the fields of an optimized frame. Internal to inspect/coroutine/.

#include <string>
#include <string_view>

namespace tare::inspect {

/// "std__vector" for "std::vector<int>": names of LLVM types have no arguments, and frames replace colons.
[[nodiscard]] std::string llvm_spelling(std::string_view type);

/// Without the frame that the type is a field of: "f.coro_frame_ty::struct_A" is "struct_A".
[[nodiscard]] std::string_view without_frame_scope(std::string_view type);

/// The part after "struct_" of a field's type, which may end with a number; empty for other types.
[[nodiscard]] std::string_view stem_of_field(std::string_view type);

/// "std____cxx11__basic_string" in readable form.
[[nodiscard]] std::string readable_stem(std::string_view stem);

/// Whether a field's stem is that of a variable's type. LLVM names local classes without their scope, and appends a
/// number to names that are not unique.
[[nodiscard]] bool same_stem(std::string_view of_field, std::string_view of_variable);

}  // namespace tare::inspect
