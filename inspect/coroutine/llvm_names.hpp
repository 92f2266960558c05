#pragma once

// The names of LLVM's types, which the fields of an optimized frame of clang have. Internal to inspect/coroutine/.

#include <string>
#include <string_view>

namespace tare::inspect {

/// "std::vector<int>" is "std__vector": LLVM's names of types have no arguments, and its frames no colons.
[[nodiscard]] std::string llvm_spelling(std::string_view type);

/// Without the frame that the type is a field of: "f.coro_frame_ty::struct_A" is "struct_A".
[[nodiscard]] std::string_view without_frame_scope(std::string_view type);

/// What is behind "struct_" in a field's type, which may end with a number; empty for other types.
[[nodiscard]] std::string_view stem_of_field(std::string_view type);

/// "std____cxx11__basic_string" as a person would write it.
[[nodiscard]] std::string readable_stem(std::string_view stem);

/// Whether a field's stem is that of a variable's type. The type of a function's own class has no scope in LLVM; a name
/// that is not unique ends with a number.
[[nodiscard]] bool same_stem(std::string_view of_field, std::string_view of_variable);

}  // namespace tare::inspect
