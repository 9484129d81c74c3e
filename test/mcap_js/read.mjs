// Copyright 2026 the trimodal_ros authors
//
// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.

// Reads an MCAP file with @mcap/core, as Foxglove does; prints a line of JSON a message.

import { McapIndexedReader } from '@mcap/core';
import { loadDecompressHandlers } from '@mcap/support';
import { open } from 'node:fs/promises';

const file = await open(process.argv[2]);
const readable = {
  size: async () => BigInt((await file.stat()).size),
  read: async (offset, length) => {
    const bytes = new Uint8Array(Number(length));
    await file.read(bytes, 0, bytes.length, Number(offset));
    return bytes;
  },
};
const reader = await McapIndexedReader.Initialize({
  readable, decompressHandlers: await loadDecompressHandlers(),
});
for await (const message of reader.readMessages()) {
  const channel = reader.channelsById.get(message.channelId);
  const schema = reader.schemasById.get(channel.schemaId);
  console.log(JSON.stringify({
    topic: channel.topic, type: schema.name, encoding: channel.messageEncoding,
    definition: new TextDecoder().decode(schema.data), logTime: String(message.logTime),
    publishTime: String(message.publishTime), data: Buffer.from(message.data).toString('hex'),
  }));
}
