/*
 * SPDX-License-Identifier: GPL-2.0-only
 */
#ifndef OPENGYM_ANY_PACK_H
#define OPENGYM_ANY_PACK_H

#include <google/protobuf/any.pb.h>
#include <string>

namespace ns3
{

/**
 * Any::PackFrom without what it does anew for each message: to put the type's URL together.
 *
 * @param any where to
 * @param message what goes in
 */
template <typename Message>
void
OpenGymPack(google::protobuf::Any& any, const Message& message)
{
    static const std::string url = "type.googleapis.com/" + Message::descriptor()->full_name();
    any.set_type_url(url);
    message.SerializeToString(any.mutable_value());
}

} // namespace ns3

#endif // OPENGYM_ANY_PACK_H
