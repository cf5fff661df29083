import { open } from 'node:fs/promises';

/** Reads the first third and the last two thirds of a budget of bytes from a file; a short file as a whole. */
export async function fileExcerpt(file: string, limit = 4000): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const read = async (from: number, length: number): Promise<string> => {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await handle.read(buffer, 0, length, from);
      return buffer.toString('utf8', 0, bytesRead);
    };
    if (size <= limit) return await read(0, size);
    const head = Math.floor(limit / 3);
    const tail = limit - head;
    return `${await read(0, head)}\n… ${size - limit} bytes left out …\n${await read(size - tail, tail)}`;
  } finally {
    await handle.close();
  }
}
