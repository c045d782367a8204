{ a = nowhere; }.a
