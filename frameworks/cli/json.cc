#include "frameworks/cli/json.h"

#include "protocol/strings.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

namespace stoa::cli {

absl::StatusOr<rapidjson::Document> parseJson(std::string_view text, std::string_view where_from) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (document.HasParseError()) {
        return absl::InternalError(concat(where_from, ": the answer is no JSON: \"", text.substr(0, 80), "\""));
    }
    return document;
}

const Json& at(const Json& object, const char* key) {
    static const Json kNull;
    if (!object.IsObject()) return kNull;
    auto member = object.FindMember(key);
    return member == object.MemberEnd() ? kNull : member->value;
}

std::string textAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    return value.IsString() ? std::string(value.GetString(), value.GetStringLength()) : std::string();
}

double numberAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    return value.IsNumber() ? value.GetDouble() : 0;
}

std::int64_t integerAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    if (value.IsInt64()) return value.GetInt64();
    return value.IsNumber() ? static_cast<std::int64_t>(value.GetDouble()) : 0;
}

bool truthAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    return value.IsBool() && value.GetBool();
}

Json::ConstArray listAt(const Json& object, const char* key) {
    static const Json kEmpty(rapidjson::kArrayType);
    const Json& value = at(object, key);
    return (value.IsArray() ? value : kEmpty).GetArray();
}

std::string pretty(const Json& value) {
    rapidjson::StringBuffer buffer;
    rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
    writer.SetIndent(' ', 2);
    value.Accept(writer);
    return std::string(buffer.GetString(), buffer.GetSize());
}

} // namespace stoa::cli
